/// <reference types="vitest/config" />
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [react()],
  base: '/',
  server: { proxy: { '^/(graphql|auth|schema.graphql)': { target: 'http://127.0.0.1:8080', ws: true } } },
  build: {
    outDir: '../generated',
    emptyOutDir: true,
    // Files, because the Content-Security-Policy allows no data in their place.
    assetsInlineLimit: 0,
    // The bundled packages' licences ask to be kept with them.
    license: { fileName: 'LICENSES.md' },
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
  css: { modules: { localsConvention: 'camelCaseOnly' } },
  test: { include: ['src/**/*.test.ts'], environment: 'node', testTimeout: 60_000 },
})
