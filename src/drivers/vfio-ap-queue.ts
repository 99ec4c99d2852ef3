/**
 * The driver of queues for guests (drivers/s390/crypto/vfio_ap_drv.c, vfio_ap_ops.c): it has what the host does not keep.
 * @module
 */

import type { Module } from '../base/module.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { ApBus } from './ap-bus.js';
import type { ApQueue } from './ap-device.js';
import { ApDriver } from './ap-driver.js';
import { apBit } from './ap-mask.js';
import type { Matrices } from './vfio-ap-matrix.js';

/** Whether it is assigned to a mediated device, and a guest has it. */
function status(matrices: Matrices, queue: ApQueue): string {
  const matrix = matrices.of(queue);
  if (!matrix) return 'unassigned';
  const { apm, aqm } = matrix.guest;
  const isPassed = (apm & apBit(queue.adapter)) !== 0n && (aqm & apBit(queue.domain)) !== 0n;
  return matrix.vm && isPassed ? 'in use' : 'assigned';
}

export function vfioApQueueDriver({ bus }: ApBus, matrices: Matrices, module: Module): ApDriver {
  const group = new AttributeGroup<ApQueue>({
    attributes: [{ name: 'status', mode: 0o444, show: (queue) => `${status(matrices, queue)}\n` }],
  });
  return new ApDriver<ApQueue>(bus, {
    name: 'vfio_ap',
    drives: 'queues',
    module,
    devGroups: [group],
    probe: (queue) => matrices.bind(queue),
    remove: (queue) => matrices.unbind(queue),
    inUse: (apm, aqm) => matrices.use(apm, aqm),
  }) as ApDriver;
}
