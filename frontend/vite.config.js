/**
 * How the browser side is built and tested.
 * The output is plain files: index.html, and everything else hashed under assets/.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

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

const backend = process.env.VERBATIM_BACKEND ?? 'http://127.0.0.1:8000';

export default defineConfig({
  plugins: [blockingThemeScript(), react()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
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
  },
});
