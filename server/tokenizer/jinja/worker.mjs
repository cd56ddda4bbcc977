// The thread in which chat templates are rendered. Whoever started it limits its time; its memory is limited here.
import { parentPort, workerData } from 'node:worker_threads';
import { openPython } from './python.mjs';

const { folder, memoryBytes } = workerData;

// Pyodide asks for memory as it needs it; when that fails, Python raises MemoryError.
const grow = WebAssembly.Memory.prototype.grow;
WebAssembly.Memory.prototype.grow = function (pages) {
  if (this.buffer.byteLength + pages * 65536 > memoryBytes) throw new RangeError('a template may not have so much');
  return grow.call(this, pages);
};

const render = await openPython(folder, await import('pyodide'));
parentPort.on('message', (request) => parentPort.postMessage({ results: render(request) }));
parentPort.postMessage('ready');
