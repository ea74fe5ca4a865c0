// FHIR bulk imports from Node: importer.wasm with a network that is allowed, one thread for each importer.

export { open, ImportError } from './importer.js';
export { begin, drive, resolve, Busy } from './drive.js';
export { FolderStore } from './store.js';
export { importerFor, NotAllowed } from './rights.js';
