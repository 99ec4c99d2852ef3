/**
 * Loaded modules of a tree that the emulation has too, as parts of a fixture: which they are, with what parameters, and
 * the facts of their files.
 * @module
 */

import { configured, type ModuleDefinition, type ModuleImage } from '../base/module.js';
import { PAGE_SIZE } from '../kernfs/file.js';
import type { KernelProfile, ProfileName } from '../base/profile.js';
import type { FixtureInput } from './fixture.js';
import { images } from './images.js';
import { modules } from './modules.js';
import type { Tree } from './tree.js';

type ModuleEntry = NonNullable<FixtureInput['modules']>[number];

const dirOf = (name: string) => `/sys/module/${name}`;

/** Whether a module is loaded, and not a part of the kernel. */
export const isLoaded = (tree: Tree, name: string) => tree.has(`${dirOf(name)}/initstate`);

/** What the files of a module say of its compilation. */
export function moduleImage(tree: Tree, name: string): ModuleImage {
  const text = (file: string) => tree.text(`${dirOf(name)}/${file}`);
  const files = (sub: string, read: (path: string) => string | undefined) =>
    Object.fromEntries(
      tree.names(`${dirOf(name)}/${sub}`).map((file) => [file, read(`${dirOf(name)}/${sub}/${file}`) ?? '']),
    );
  const coresize = text('coresize');
  const taint = text('taint');
  return {
    ...(coresize !== undefined && { coresize: Number(coresize) }),
    ...(text('srcversion') !== undefined && { srcversion: text('srcversion') }),
    ...(text('version') !== undefined && { version: text('version') }),
    ...(taint && { taint }),
    sections: files('sections', (path) => tree.text(path)),
    notes: files('notes', (path) => Buffer.from(tree.bytes(path) ?? []).toString('hex')),
  };
}

/** Facts of modules that are not known to be so anyway. */
export function imagesOf(
  tree: Tree,
  names: readonly string[],
  kernel: ProfileName,
): Record<string, ModuleImage> {
  const own: Record<string, ModuleImage> = {};
  for (const name of names) {
    const image = moduleImage(tree, name);
    const { sections = {}, notes = {}, ...rest } = images[kernel][name] ?? { coresize: PAGE_SIZE };
    if (sorted(image) !== sorted({ ...rest, sections, notes })) own[name] = image;
  }
  return own;
}

const sorted = (value: unknown): string =>
  JSON.stringify(value, (_key, inner) =>
    inner && typeof inner === 'object'
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );

/**
 * The loaded ones of those that a machine of this profile can load.
 * @param own loaded ones that come with the fixture
 */
export function loadedModules(tree: Tree, own: readonly string[], profile: KernelProfile): ModuleEntry[] {
  const known = modules.filter(({ arch }) => (arch ?? profile.arch) === profile.arch);
  const loaded = known.filter(({ name }) => isLoaded(tree, name));
  const names = new Set([...loaded.map(({ name }) => name), ...own]);
  return [...loaded.map((each) => moduleEntry(tree, each, profile, names)), ...own];
}

/**
 * Its name, with the parameters that are not what they are by themselves, and modules that hold it from without.
 * @param names of all that will be loaded
 */
function moduleEntry(
  tree: Tree,
  definition: ModuleDefinition,
  profile: KernelProfile,
  names: ReadonlySet<string>,
): ModuleEntry {
  const { name } = definition;
  const parameters: Record<string, string> = {};
  for (const { name: parameter, initial } of configured(definition.parameters ?? [], profile)) {
    const text = tree.text(`${dirOf(name)}/parameters/${parameter}`);
    const shown = typeof initial === 'boolean' ? (initial ? 'Y' : 'N') : String(initial);
    if (text !== undefined && text !== shown) parameters[parameter] = text;
  }
  const holders = tree.names(`${dirOf(name)}/holders`).filter((holder) => !names.has(holder));
  if (holders.length > 0) return { name, parameters, holders };
  return Object.keys(parameters).length > 0 ? { name, parameters } : name;
}
