// Transpiles importer.wasm, which `components` of the repository's examples wrote, into dist/.

import { fileURLToPath } from 'node:url';

import { transpile, writeFiles } from '@bytecodealliance/jco-transpile';

const place = (path) => fileURLToPath(new URL(path, import.meta.url));
const { files } = await transpile(place('../../target/components/importer.wasm'), {
  name: 'importer',
  outDir: place('dist'),
  instantiation: 'sync',
});
await writeFiles(files);
