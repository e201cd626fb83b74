/**
 * Build of the terminal: `dist/` is what `serve` hands out, `/assets/*` in it carries a hash in its name and may be cached
 * for ever. `npm run dev` proxies the API of a house that runs on this machine.
 */
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const HOUSE = process.env["FONDACO_URL"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2023",
    // The licences of what is bundled travel with it.
    license: { fileName: "licences.md" },
    chunkSizeWarningLimit: 1200,
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": { target: HOUSE, changeOrigin: true, ws: true } },
  },
  test: {
    include: ["tests/**/*.test.ts"],
    environment: "node",
    testTimeout: 20_000,
  },
});
