/**
 * Sections of a page that different commands write: each renews its own, and leaves the others.
 *
 * @module
 */

/** The section that `plugins.ts` writes. */
export const PLUGINS = "plugins";

function beginOf(name: string): string {
  return `<!-- Section ${name}: written by bench/${name}.ts. Edit that, not this. -->\n`;
}

function endOf(name: string): string {
  return `<!-- End of section ${name}. -->\n`;
}

/** What is between the section's marks; "" if it is not there, or has no end. */
export function sectionOf(page: string, name: string): string {
  const [, rest] = page.split(beginOf(name));
  const end = rest?.indexOf(endOf(name)) ?? -1;
  return end < 0 ? "" : rest!.slice(0, end);
}

/** The page with the section in its place, or at the end; "" is no section. */
export function withSection(page: string, name: string, section: string): string {
  const written = sectionOf(page, name);
  const marked = (text: string) => text === "" ? "" : `${beginOf(name)}${text}${endOf(name)}`;
  if (written !== "") return page.replace(marked(written), () => marked(section));
  return section === "" ? page : `${page.trimEnd()}\n\n${marked(section)}`;
}
