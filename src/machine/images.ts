/**
 * What compiled modules look like below /sys/module, by kernel profile, where a fixture says nothing else.
 * @module
 */

import type { ModuleImage } from '../base/module.js';
import type { ProfileName } from '../base/profile.js';
import { deblikeImages } from './images-deblike.js';
import { fullImages } from './images-full.js';

const mbochs = fullImages.mbochs as ModuleImage;

/** Sections that come with locks and warnings, of which mdpy has none. */
const withLocks = ['.smp_locks', '__bug_table'];

/** Of mdpy only the size is known; the rest follows from its sources, which are built like those of mbochs. */
const mdpy: ModuleImage = {
  coresize: 16384,
  sections: Object.fromEntries(
    Object.entries(mbochs.sections ?? {}).filter(([section]) => !withLocks.includes(section)),
  ),
  notes: mbochs.notes,
};

/** The sample drivers that were not recorded with a kernel are taken to be the same there. */
export const images: Readonly<Record<ProfileName, Readonly<Record<string, ModuleImage>>>> = {
  full: { ...fullImages, mdpy },
  deblike: { mbochs, mdpy, ...deblikeImages },
  legacy: { mbochs, mdpy, ...deblikeImages },
};
