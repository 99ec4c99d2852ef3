/**
 * The machines that recordings were made on, as fixtures in `hosts/`.
 * @module
 */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { RecordingFile } from './recording.js';

/** Sources lie two levels above dist/test/. */
const directory = fileURLToPath(new URL('../../../test/conformance/hosts/', import.meta.url));

/** Modules that were loaded while cases were recorded, in this order: it decides their device numbers. */
export const caseModules = ['kvm_intel', 'iommufd', 'vfio_iommu_type1', 'mtty', 'mdpy', 'mbochs'] as const;

export interface HostChoice {
  profile: RecordingFile['profile'];
  /** Snapshot family or kind of recording: a host of its own where hosts/ has one. */
  topic: string;
  modules: readonly string[];
}

/** The fixture, not yet checked: `hosts/q35-intel-TOPIC.json`, or the common `hosts/q35-intel.json`. */
export function hostFixture({ profile, topic, modules }: HostChoice): Record<string, unknown> {
  const [file] = [`q35-intel-${topic}.json`, 'q35-intel.json']
    .map((name) => directory + name)
    .filter((path) => existsSync(path));
  const fixture = file
    ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>)
    : { name: 'bare' };
  return { ...fixture, modules, ...(profile === 'deblike' && { kernel: 'deblike' }) };
}
