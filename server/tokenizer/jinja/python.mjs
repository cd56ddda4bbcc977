// CPython with jinja2 in WebAssembly: loaded as it is, or from an image of its memory just after loading, which saves most
// of the time. Plain JavaScript, since both a thread and the build start from it.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** What Python is given, by its path there. */
function filesOf(folder) {
  const top = readdirSync(folder).filter((name) => /\.(whl|py)$/.test(name));
  const markupsafe = readdirSync(join(folder, 'markupsafe')).map((name) => `markupsafe/${name}`);
  return [...top, ...markupsafe].sort().map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
}

/** Where an image lies that belongs to these very files; another is never taken. */
export function imagePath(folder, { version }) {
  const hash = createHash('sha256').update(version);
  for (const { name, bytes } of filesOf(folder)) hash.update(`\0${name}\0`).update(bytes);
  return join(folder, `python-${hash.digest('hex').slice(0, 16)}.image.gz`);
}

/** @returns render(request: string): string, as render.py has it */
export async function openPython(folder, pyodide) {
  const image = imagePath(folder, pyodide);
  const python = await pyodide.loadPyodide(existsSync(image) ? { _loadSnapshot: gunzipSync(readFileSync(image)) } : {});
  prepare(python, folder);
  // A template that found its way out of the sandbox would still meet no file and no program of this machine.
  for (const name of ['js', 'pyodide_js']) python.unregisterJsModule(name);
  return python.globals.get('render_all');
}

/** For the build. @returns the bytes of an image, and where openPython looks for them, packed with gzip */
export async function makeImage(folder, pyodide) {
  const python = await pyodide.loadPyodide({ _makeSnapshot: true });
  prepare(python, folder);
  return { path: imagePath(folder, pyodide), bytes: python.makeMemorySnapshot() };
}

function prepare(python, folder) {
  const files = filesOf(folder);
  python.FS.mkdirTree('/lib/templates/markupsafe');
  for (const { name, bytes } of files) python.FS.writeFile(`/lib/templates/${name}`, bytes);
  const wheel = files.find(({ name }) => name.endsWith('.whl')).name;
  const paths = ['/lib/templates', `/lib/templates/${wheel}`];
  python.runPython(`import sys\nsys.path[:0] = [it for it in ${JSON.stringify(paths)} if it not in sys.path]`);
  python.runPython('from render import render_all');
}
