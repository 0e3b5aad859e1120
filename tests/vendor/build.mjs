// Copies what the pages and their tests take from npm to where they look for it: `make vendor`.
//
// The copies are committed, so neither running nor testing the product needs npm. To use another icon, add its name to ICONS; to
// take a newer version, change package.json and run `npm install --ignore-scripts`; then `make vendor` in both cases.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";

// Names of lucide.dev/icons; {% icon "play" %} shows one.
const ICONS = `
    activity arrow-left arrow-right arrow-up-right ban bell bot building-2 calendar-clock chart-column check chevron-down
    chevron-left chevron-right chevron-up circle circle-alert circle-check circle-dashed circle-dot circle-pause circle-slash
    circle-x clock columns-3 copy download ellipsis external-link eye file-text filter flag gauge git-branch git-compare git-fork
    git-merge grip-vertical history hourglass house info key-round link list list-checks loader lock lock-open log-in log-out
    menu moon network pause pencil play plus redo-2 refresh-cw rotate-ccw scroll-text search server settings shield split square sun
    sun-moon table-2 tag timer trash-2 trending-up triangle-alert undo-2 user users workflow x zap
`.trim().split(/\s+/);

const written = {};

const read = (name) => readFileSync(join("node_modules", name), "utf8");

function write(path, text) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${text.trim()}\n`);
    written[path] = createHash("sha256").update(readFileSync(path)).digest("hex");
}

// The page says the rest: the size is that of the text (app.css), and what an icon means is in the words beside it.
function icon(name) {
    const shapes = read(`lucide-static/icons/${name}.svg`).match(/<svg[^>]*>([\s\S]*)<\/svg>/)[1];
    const given = 'viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"';
    return `<svg xmlns="http://www.w3.org/2000/svg" ${given}>${shapes.replace(/\s*\n\s*/g, "").replaceAll(" />", "/>")}</svg>`;
}

function licenceOf(name) {
    const file = readdirSync(join("node_modules", name)).find((found) => /^licen[cs]e(\.|$)/i.test(found));
    return file ? read(`${name}/${file}`) : JSON.parse(read(`${name}/package.json`)).license;
}

// html-validate for a browser: the tests have one, and need no node then.
async function bundle(path) {
    const contents = 'export { HtmlValidate, StaticConfigLoader } from "html-validate/browser";';
    const made = await build({
        stdin: { contents, resolveDir: "." },
        bundle: true,
        minify: true,
        format: "iife",
        globalName: "htmlValidate",
        platform: "browser",
        target: "es2022",
        legalComments: "none", // all of them are in the file beside it
        metafile: true,
        write: false,
    });
    write(path, made.outputFiles[0].text);
    const inputs = Object.keys(made.metafile.inputs).flatMap((input) => input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1] ?? []);
    return [...new Set(inputs)].sort();
}

const old = existsSync("static/vendor/lucide") ? readdirSync("static/vendor/lucide") : [];
for (const name of old) rmSync(join("static/vendor/lucide", name));
for (const name of ICONS) write(`static/vendor/lucide/${name}.svg`, icon(name));
write("static/vendor/lucide/LICENSE", licenceOf("lucide-static"));
write("static/vendor/modern-normalize.css", read("modern-normalize/modern-normalize.css"));
write("static/vendor/modern-normalize.LICENSE", licenceOf("modern-normalize"));
write("tests/vendor/axe.min.js", read("axe-core/axe.min.js"));
write("tests/vendor/axe.LICENSE", `${licenceOf("axe-core")}\n${read("axe-core/LICENSE-3RD-PARTY.txt")}`);
const bundled = await bundle("tests/vendor/html-validate.js");
write("tests/vendor/html-validate.LICENSE", bundled.map((name) => `${name}\n\n${licenceOf(name)}`).join(`\n${"-".repeat(80)}\n`));

const versions = Object.fromEntries(
    Object.keys(JSON.parse(readFileSync("package.json", "utf8")).devDependencies).map((name) => [
        name,
        JSON.parse(read(`${name}/package.json`)).version,
    ]),
);
writeFileSync("tests/vendor/manifest.json", `${JSON.stringify({ versions, files: written }, null, 4)}\n`);
console.log(`${Object.keys(written).length} files; the bundle holds ${bundled.join(", ")}`);
