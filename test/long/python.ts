// The Python that test/python/run.sh makes, or that ESPALIER_PYTHON names; programs of its packages lie beside it.
import { homedir } from 'node:os';
import { join } from 'node:path';

const cacheFolder = process.env.ESPALIER_CACHE ?? join(homedir(), '.cache/espalier');

export const python = process.env.ESPALIER_PYTHON ?? join(cacheFolder, 'transformers-venv/bin/python');
