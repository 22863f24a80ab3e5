import { defineConfig } from 'vite';

export default defineConfig({
  // The page is served under any prefix.
  base: './',
  build: {
    outDir: '../generated',
    emptyOutDir: true,
    // Fonts and icons come as files: the Content-Security-Policy then needs no exception for them.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 5000,
    // The bundled packages' licences ask to be kept with them.
    license: { fileName: 'LICENSES.md' },
    modulePreload: { polyfill: false },
    target: 'es2022',
    rolldownOptions: {
      // "use client" means nothing outside of server rendering.
      checks: { moduleLevelDirective: false },
    },
  },
  worker: { format: 'es' },
});
