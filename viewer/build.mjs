// Builds src/ into one classic script and one style sheet inside the Python package. `--check` compares instead of writing.
import { build } from 'esbuild';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const STATIC = fileURLToPath(new URL('../pellucid/render/static/', import.meta.url));
const BUDGET = 60_000; // bytes of script and style together, gzipped

/** The licence of every bundled package, whole: MIT and Apache-2.0 ask for it wherever the code goes. */
async function notices() {
  const names = ['preact', 'htm', '@preact/signals', '@preact/signals-core'];
  const texts = names.map(async (name) => {
    const folder = `${HERE}node_modules/${name}/`;
    const { version, license } = JSON.parse(await readFile(`${folder}package.json`, 'utf8'));
    return `${name} ${version} (${license})\n${'-'.repeat(60)}\n${(await readFile(`${folder}LICENSE`, 'utf8')).trim()}\n`;
  });
  return `viewer.js contains these packages.\n\n${(await Promise.all(texts)).join('\n\n')}`;
}

const BANNER = '/*! pellucid viewer, Apache-2.0. Contains preact and @preact/signals (MIT, Copyright Jason Miller and contributors) and htm (Apache-2.0). */';

const common = { bundle: true, minify: true, write: false, legalComments: 'none', target: ['es2022'], absWorkingDir: HERE, charset: 'utf8' };
const script = await build({ ...common, entryPoints: ['src/main.js'], format: 'iife', banner: { js: BANNER } });
const style = await build({ ...common, entryPoints: ['src/style/viewer.css'] });
const outputs = {
  'viewer.js': script.outputFiles[0].text,
  'viewer.css': style.outputFiles[0].text,
  'NOTICE': await notices(),
};

const packed = ['viewer.js', 'viewer.css'].reduce((sum, name) => sum + gzipSync(outputs[name], { level: 9 }).length, 0);
const sizes = ['viewer.js', 'viewer.css'].map((name) => `${name} ${(outputs[name].length / 1000).toFixed(1)} kB`).join(', ');
console.log(`${sizes}, gzipped together ${(packed / 1000).toFixed(1)} kB`);
if (packed > BUDGET) fail(`at most ${BUDGET / 1000} kB are allowed`);
if (/<\/script|<!--/i.test(outputs['viewer.js'])) fail('viewer.js holds </script or <!--, which would end the element it is embedded in');

await mkdir(STATIC, { recursive: true });
for (const [name, text] of Object.entries(outputs)) {
  if (!process.argv.includes('--check')) await writeFile(STATIC + name, text);
  else if ((await readFile(STATIC + name, 'utf8').catch(() => '')) !== text) fail(`${name} is not what viewer/ builds: run "make viewer"`);
}

/** @param {string} reason */
function fail(reason) {
  console.error(`viewer: ${reason}`);
  process.exit(1);
}
