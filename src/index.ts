/**
 * mdevfs as a library: a machine with mediated devices, in process, without FUSE and without root.
 *
 * ```ts
 * import { Machine } from 'mdevfs';
 *
 * const machine = new Machine();
 * machine.modprobe('mtty');
 * const shell = machine.process();
 * const fd = shell.open('/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create', 1);
 * shell.write(fd, Buffer.from('83b8f4f2-509f-382f-3c1e-e6bfe0fa1001'));
 * ```
 * @module
 */

export { DeviceClass } from './base/class.js';
// What a vendor driver is made of.
export { Device } from './base/device.js';
export type { ModuleDefinition, ModuleImage } from './base/module.js';
export type { Module } from './base/module.js';
export type { Uevent, UeventAction } from './base/uevent.js';
export { ueventMessage } from './base/uevent.js';
export { SampleParent, sampleDepends } from './drivers/sample-parent.js';
export type { Stat } from './kernfs/node.js';
export type { Clock } from './lib/clock.js';
export { Errno, KernelError } from './lib/errno.js';
export { after, type Sleeps } from './lib/sleep.js';
export type { Attachment, AttachmentOptions } from './machine/attachment.js';
export type { FaultRules } from './machine/fault.js';
export type { FaultRuleInput } from './machine/fault-schema.js';
export { checkFixture, type Fixture, FixtureError, parseFixture } from './machine/fixture.js';
export type { Hotplug } from './machine/hotplug.js';
export { type BootOptions, Machine, type MachineOptions } from './machine/machine.js';
export type { Dirent, Process } from './machine/process.js';
export { formatFixture, type Snapshot, snapshot } from './machine/snapshot.js';
export { PutBackError } from './machine/put-back.js';
export { checkState, type MachineState, machineState, watchState } from './machine/state.js';
export { Tree, type TreeDir, type TreeFile, type TreeLink, type TreeNode } from './machine/tree.js';
export { machineTree } from './machine/tree-machine.js';
export { mdevModule } from './mdev/core.js';
export { MdevDevice } from './mdev/device.js';
export { type MdevDriver, mdevRegisterDriver, mdevUnregisterDriver } from './mdev/driver.js';
export { mdevRegisterParent, mdevUnregisterParent } from './mdev/parent.js';
export { MdevType } from './mdev/type.js';
export type { Attribute, BinAttribute } from './sysfs/attribute.js';
export { AttributeGroup } from './sysfs/group.js';
// The numbers and structures that user space and devices exchange.
export * as iommufd from './uapi/iommufd.js';
export * as kvm from './uapi/kvm.js';
export * as vfio from './uapi/vfio.js';
export * as vfioFeature from './uapi/vfio-feature.js';
export * as vfioIommu from './uapi/vfio-iommu.js';
export * as vfioIrq from './uapi/vfio-irq.js';
export { vfioModule } from './vfio/core.js';
export { VfioDevice } from './vfio/device.js';
export type { VfioDeviceOps, VfioMigrationOps } from './vfio/device-ops.js';
// What their requests have in common.
export { getDeviceInfo, getRegionInfo, type Region } from './vfio/region.js';
