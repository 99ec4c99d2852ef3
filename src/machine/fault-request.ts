/**
 * Requests of ioctl(2) by name, as headers have them.
 * @module
 */

import * as iommufd from '../uapi/iommufd.js';
import * as kvm from '../uapi/kvm.js';
import * as vfio from '../uapi/vfio.js';
import * as vfioFeature from '../uapi/vfio-feature.js';
import * as vfioIommu from '../uapi/vfio-iommu.js';
import * as vfioIrq from '../uapi/vfio-irq.js';

/** Types of requests, in their second byte: VFIO and iommufd, KVM. */
const types: readonly number[] = [';'.charCodeAt(0), 0xae];

const byName = new Map<string, number>(
  [vfio, vfioIrq, vfioFeature, vfioIommu, iommufd, kvm]
    .flatMap((header): [string, unknown][] => Object.entries(header))
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .filter(([, value]) => types.includes((value >>> 8) & 0xff)),
);

/** Names of the requests that there are. */
export const ioctlRequestNames: readonly string[] = [...byName.keys()];

/** The number of a request by its name, or by a number as text; undefined for neither. */
export function ioctlRequest(text: string): number | undefined {
  if (/^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text)) return Number(text) >>> 0;
  return byName.get(text);
}
