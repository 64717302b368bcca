/**
 * How the browser side is built and tested.
 * The output is plain files: index.html, and everything else hashed under assets/.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';

import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const THEME_SCRIPT = 'src/app/theme-boot.js';

/**
 * Puts the theme script in front of everything else as a small external file. It has to block the first
 * paint (a module would be deferred and the page would flash) and may not be inline, because the content
 * security policy allows no inline scripts.
 * @returns {import('vite').Plugin}
 */
function blockingThemeScript() {
  let building = false;
  let fileName = '';
  return {
    name: 'blocking-theme-script',
    configResolved(config) {
      building = config.command === 'build';
    },
    buildStart() {
      if (!building) return;
      const source = readFileSync(fileURLToPath(new URL(THEME_SCRIPT, import.meta.url)), 'utf8');
      const digest = createHash('sha256').update(source).digest('hex').slice(0, 8);
      fileName = `assets/theme-${digest}.js`;
      this.emitFile({ type: 'asset', fileName, source });
    },
    transformIndexHtml() {
      const src = building ? `/${fileName}` : `/${THEME_SCRIPT}`;
      return [{ tag: 'script', attrs: { src }, injectTo: 'head-prepend' }];
    },
  };
}

const WORTH_COMPRESSING = /\.(js|css|svg|html)$/;

/**
 * Writes a .br and a .gz beside each text file, once at build time, so that the server only picks one.
 * index.html is left out: the server reads and sends it itself.
 * @returns {import('vite').Plugin}
 */
function compressedCopies() {
  return {
    name: 'compressed-copies',
    apply: 'build',
    writeBundle(options, bundle) {
      for (const fileName of Object.keys(bundle)) {
        if (!WORTH_COMPRESSING.test(fileName) || fileName === 'index.html') continue;
        const path = join(options.dir ?? 'dist', fileName);
        const content = readFileSync(path);
        if (content.length < 1024) continue;
        writeFileSync(`${path}.br`, brotliCompressSync(content));
        writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
      }
    },
  };
}

const backend = process.env.VERBATIM_BACKEND ?? 'http://127.0.0.1:8000';

export default defineConfig({
  plugins: [blockingThemeScript(), react(), compressedCopies()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    // Before compression; what counts is 200 KB compressed at first load.
    chunkSizeWarningLimit: 640,
  },
  server: {
    proxy: {
      '/api': backend,
      '/_allauth': backend,
    },
  },
  // @ts-expect-error -- Vitest reads this key; Vite's own type does not know it.
  test: {
    environment: 'jsdom',
    setupFiles: ['./src/test-setup.js'],
    restoreMocks: true,
    testTimeout: 30_000,
  },
});
