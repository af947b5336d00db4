import { readFileSync, readdirSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { defineConfig } from "vite";

import { licences } from "./licences.js";

const ASSETS = join(import.meta.dirname, "../assets");
const { collect, write } = licences(join(import.meta.dirname, "../LICENSES.txt"));

// The gateway hands out the compressed file as it is; only the page itself is written to, and stays as text.
const compress = {
  name: "compress",
  closeBundle() {
    for (const name of readdirSync(ASSETS).filter((file) => file !== "index.html")) {
      const path = join(ASSETS, name);
      writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
      unlinkSync(path);
    }
  },
};

export default defineConfig({
  base: "/graphiql/assets/",
  build: {
    outDir: ASSETS,
    emptyOutDir: true,
    assetsDir: "",
    // Fonts and images as files of their own: the content security policy then allows no data: for fonts.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4000,
    rolldownOptions: {
      onLog(level, log, handle) {
        // "use client" speaks to servers that render React; there is none here.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") {
          handle(level, log);
        }
      },
    },
  },
  plugins: [collect, write, compress],
  worker: { format: "es", plugins: () => [collect] },
});
