import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// Monaco carries the licences of what it contains in a file of another name.
const LICENCE_FILE = /^(licen[cs]e|copying|notice|thirdpartynotices)/i;

// Published without their licence file: the package of the same holders, under the same licence, that has it.
const SAME_LICENCE = {
  "@graphiql/plugin-doc-explorer": "graphiql",
  "@graphiql/plugin-history": "graphiql",
  "react-compiler-runtime": "react",
  "react-remove-scroll-bar": "react-remove-scroll",
};

const PREFACE = `The console contains parts of the packages below, each with its licence.

monaco-editor contains DOMPurify 3.1.7, (c) Cure53 and other contributors, which its own notices leave out; it is used
under the Apache License 2.0, the text of which is this project's own LICENSE.
`;

/**
 * Two Vite plugins. `collect`, for the page and for the workers, notes each npm package of which something is read;
 * `write`, for the page, writes the licence text of each of them to `path`. A package without one fails the build.
 */
export function licences(path) {
  const folders = new Set();
  const add = (file) => {
    const folder = packageFolder(file);
    // Some packages have folders in node_modules that are not packages of their own.
    if (folder && existsSync(join(folder, "package.json"))) {
      folders.add(folder);
    }
  };
  const collect = {
    name: "licences:collect",
    moduleParsed({ id }) {
      add(id);
    },
    generateBundle(_options, bundle) {
      // A font is no module.
      for (const { originalFileNames = [] } of Object.values(bundle)) {
        originalFileNames.map((file) => join(import.meta.dirname, file)).forEach(add);
      }
    },
  };
  const write = {
    name: "licences:write",
    closeBundle() {
      const texts = [...folders].map(licenceText).sort();
      writeFileSync(path, [PREFACE, ...texts].join("\n"));
    },
  };
  return { collect, write };
}

function packageFolder(file) {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file.replaceAll("\\", "/"))?.[0];
}

function licenceText(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf-8"));
  const holder = name in SAME_LICENCE ? join(import.meta.dirname, "node_modules", SAME_LICENCE[name]) : folder;
  const files = readdirSync(holder).filter((file) => LICENCE_FILE.test(file)).sort();
  if (files.length === 0) {
    throw new Error(`${name} ${version} (${license}) has no licence file: find it, and name its package in SAME_LICENCE.`);
  }
  const rule = "=".repeat(100);
  const texts = files.map((file) => readFileSync(join(holder, file), "utf-8").replaceAll("\r\n", "\n").trim());
  return `${rule}\n${name} ${version} (${license})\n${rule}\n\n${texts.join("\n\n")}\n`;
}
