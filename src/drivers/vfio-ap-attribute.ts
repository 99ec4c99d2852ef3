/**
 * The attributes of a vfio_ap device (drivers/s390/crypto/vfio_ap_ops.c): files that assign adapters and domains, and
 * files that show what is assigned.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { cstring, kstrtoull } from '../lib/kstrtox.js';
import type { MdevDevice } from '../mdev/device.js';
import type { Attribute } from '../sysfs/attribute.js';
import { AttributeGroup } from '../sysfs/group.js';
import { type ApMask, apNumbers, formatApMask, parseApMask } from './ap-mask.js';
import type { ApMasks, MaskName, Matrix } from './vfio-ap-matrix.js';

/** A device's matrix. */
type MatrixOf = (mdev: MdevDevice) => Matrix;

const hex = (number: number, digits: number) => number.toString(16).padStart(digits, '0');

/** A line for each queue; without adapters or without domains for each half of one. */
export function showQueues({ apm, aqm }: Pick<ApMasks, 'apm' | 'aqm'>): string {
  const halves = (mask: ApMask, digits: number) => {
    const numbers = apNumbers(mask).map((number) => hex(number, digits));
    return numbers.length > 0 ? numbers : [''];
  };
  if (apm === 0n && aqm === 0n) return '';
  const domains = halves(aqm, 4);
  return halves(apm, 2)
    .flatMap((adapter) => domains.map((domain) => `${adapter}.${domain}\n`))
    .join('');
}

/** @throws EINVAL unless the text begins with three masks */
function parseConfig(text: string): ApMasks {
  const [apm, aqm, adm] = cstring(text)
    .split(/[,\n]/)
    .slice(0, 3)
    .map((mask) => parseApMask(mask));
  if (apm === undefined || aqm === undefined || adm === undefined) throw new KernelError(Errno.EINVAL);
  return { apm, aqm, adm };
}

/** The pair of files that assign and unassign. @throws EINVAL, ERANGE for what is no number; what the matrix throws */
function assignment(what: string, name: MaskName, matrixOf: MatrixOf): Attribute<MdevDevice>[] {
  return (['assign', 'unassign'] as const).map((verb) => ({
    name: `${verb}_${what}`,
    mode: 0o200,
    store: (mdev, text) => matrixOf(mdev)[verb](name, kstrtoull(text)),
  }));
}

export function vfioApAttributes(matrixOf: MatrixOf): AttributeGroup<MdevDevice> {
  const showControl = (mdev: MdevDevice) =>
    apNumbers(matrixOf(mdev).masks.adm)
      .map((domain) => `${hex(domain, 4)}\n`)
      .join('');
  return new AttributeGroup<MdevDevice>({
    attributes: [
      ...assignment('adapter', 'apm', matrixOf),
      ...assignment('domain', 'aqm', matrixOf),
      ...assignment('control_domain', 'adm', matrixOf),
      {
        name: 'ap_config',
        mode: 0o644,
        show(mdev) {
          const { apm, aqm, adm } = matrixOf(mdev).masks;
          return `${[apm, aqm, adm].map(formatApMask).join(',')}\n`;
        },
        store: (mdev, text) => matrixOf(mdev).set(parseConfig(text)),
      },
      { name: 'control_domains', mode: 0o444, show: showControl },
      { name: 'matrix', mode: 0o444, show: (mdev) => showQueues(matrixOf(mdev).masks) },
      { name: 'guest_matrix', mode: 0o444, show: (mdev) => showQueues(matrixOf(mdev).guest) },
    ],
  });
}
