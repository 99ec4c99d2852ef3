/**
 * A vfio_ap device as its user sees it (drivers/s390/crypto/vfio_ap_ops.c): no regions, and one interrupt by which it
 * is asked back. It is of use to a VM only, and a VM has one at most.
 *
 * Differs: no instruction of a guest reaches a queue; a reset finds nothing to do.
 * @module
 */

import type { Caller, UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import type { MdevDevice } from '../mdev/device.js';
import { VFIO_DEVICE_FLAGS_AP, VFIO_DEVICE_FLAGS_RESET, VFIO_DEVICE_GET_INFO } from '../uapi/vfio.js';
import { VFIO_DEVICE_GET_IRQ_INFO, VFIO_DEVICE_RESET, VFIO_DEVICE_SET_IRQS } from '../uapi/vfio-irq.js';
import type { VfioCore } from '../vfio/core.js';
import { VfioDevice } from '../vfio/device.js';
import type { VfioDeviceOps } from '../vfio/device-ops.js';
import { getDeviceInfo } from '../vfio/region.js';
import { TriggerIrqs } from '../vfio/trigger-irq.js';
import { type Matrices, Matrix } from './vfio-ap-matrix.js';

/** The interrupt that asks user space to let go is the only one. */
const VFIO_AP_REQ_IRQ_INDEX = 0;
const VFIO_AP_NUM_IRQS = 1;

export class MatrixMdev extends VfioDevice {
  readonly matrix: Matrix;
  readonly irqs = new TriggerIrqs(VFIO_AP_NUM_IRQS);

  constructor(vfio: VfioCore, mdev: MdevDevice, matrices: Matrices, ops: VfioDeviceOps) {
    super(vfio, mdev, ops);
    this.matrix = new Matrix(matrices);
  }
}

/** @throws EOPNOTSUPP for a request that is none of these, and what each says */
function ioctl(vdev: VfioDevice, request: number, arg: UserPointer, caller: Caller): number {
  const { irqs } = vdev as MatrixMdev;
  switch (request) {
    case VFIO_DEVICE_GET_INFO: {
      const flags = VFIO_DEVICE_FLAGS_AP | VFIO_DEVICE_FLAGS_RESET;
      return getDeviceInfo(arg, { flags, numRegions: 0, numIrqs: VFIO_AP_NUM_IRQS });
    }
    case VFIO_DEVICE_RESET:
      return 0;
    case VFIO_DEVICE_GET_IRQ_INFO:
      return irqs.info(arg);
    case VFIO_DEVICE_SET_IRQS:
      return irqs.set(arg, caller);
    default:
      throw new KernelError(Errno.EOPNOTSUPP);
  }
}

export function vfioApOps({ all }: Matrices): VfioDeviceOps {
  return {
    name: 'vfio_ap_mdev',
    /** @throws EINVAL without a VM; EPERM for a second device of one */
    openDevice(vdev) {
      const { kvm } = vdev;
      if (!kvm) throw new KernelError(Errno.EINVAL);
      for (const { vm } of all) if (vm === kvm) throw new KernelError(Errno.EPERM);
      (vdev as MatrixMdev).matrix.vm = kvm;
    },
    closeDevice(vdev) {
      (vdev as MatrixMdev).matrix.vm = undefined;
      (vdev as MatrixMdev).irqs.disable();
    },
    ioctl,
    request: (vdev) => (vdev as MatrixMdev).irqs.trigger(VFIO_AP_REQ_IRQ_INDEX),
    // What a guest's interrupts pin is not modelled, so nothing is pinned.
    dmaUnmap() {},
  };
}
