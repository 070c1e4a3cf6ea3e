// Builds src/ into one classic script and one style sheet inside the Python package. `--check` compares instead of writing.
import { build } from 'esbuild';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { minify } from 'terser';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const STATIC = fileURLToPath(new URL('../pellucid/render/static/', import.meta.url)); // embedded in every report
const PAGE = fileURLToPath(new URL('../pellucid/serve/static/', import.meta.url)); // served by `pellucid serve`
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
/** Line breaks between two parts of a template, and indents, mean nothing, and minifiers leave templates as they are. */
const joined = {
  name: 'joined',
  setup: (/** @type {import('esbuild').PluginBuild} */ own) =>
    own.onLoad({ filter: /src\/.*\.js$/ }, async ({ path }) => ({ contents: (await readFile(path, 'utf8')).replace(/([>}])\n\s*(?=<|\$\{)/g, '$1').replace(/\n\s+/g, '\n'), loader: 'js' })),
};
const bundled = async (/** @type {string} */ entry, /** @type {import('esbuild').BuildOptions} */ more = {}) => (await build({ ...common, entryPoints: [entry], ...more })).outputFiles[0].text;
const scriptOf = async (/** @type {string} */ entry) =>
  `${BANNER}\n${(await minify(await bundled(entry, { format: 'iife', plugins: [joined] }), { ecma: 2020, module: true, compress: { passes: 3, unsafe_arrows: true, pure_getters: true, keep_fargs: false }, format: { comments: false } })).code}\n`;
const bundles = [
  { folder: STATIC, script: ['viewer.js', await scriptOf('src/main.js')], style: ['viewer.css', await bundled('src/style/viewer.css')] },
  { folder: STATIC, script: ['viewer-audit.js', await scriptOf('src/main-audit.js')], style: ['viewer-audit.css', await bundled('src/style/viewer-audit.css')] },
  { folder: PAGE, script: ['page.js', await scriptOf('src/serve/main.js')], style: ['page.css', await bundled('src/style/page.css')] },
];

for (const { script, style } of bundles) {
  const packed = [script, style].reduce((sum, [, content]) => sum + gzipSync(content, { level: 9 }).length, 0);
  const sizes = [script, style].map(([name, content]) => `${name} ${(content.length / 1000).toFixed(1)} kB`).join(', ');
  console.log(`${sizes}, gzipped together ${(packed / 1000).toFixed(1)} kB`);
  if (packed > BUDGET) fail(`at most ${BUDGET / 1000} kB are allowed`);
}
for (const { script: [name, content] } of bundles) {
  if (/<\/script|<!--/i.test(content)) fail(`${name} holds </script or <!--, which would end the element it is embedded in`);
}

const notice = await notices();
for (const { folder, script, style } of bundles) {
  await mkdir(folder, { recursive: true });
  for (const [name, content] of [script, style, ['NOTICE', notice]]) {
    if (!process.argv.includes('--check')) await writeFile(folder + name, content);
    else if ((await readFile(folder + name, 'utf8').catch(() => '')) !== content) fail(`${name} is not what viewer/ builds: run "make viewer"`);
  }
}

/** @param {string} reason */
function fail(reason) {
  console.error(`viewer: ${reason}`);
  process.exit(1);
}
