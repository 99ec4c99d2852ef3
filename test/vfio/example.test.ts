/**
 * The example of the kernel's VFIO documentation (Documentation/driver-api/vfio.rst, "VFIO Usage Example"), step by step:
 * what a user of VFIO does to get at a device, and what it finds there.
 */

import t from 'tap';
import { Machine, vfio, vfioIommu, vfioIrq } from '../../src/index.js';

const O_RDWR = 2;
const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';

/** A structure that begins with its own size. */
function argsz(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUInt32LE(size);
  return bytes;
}

t.test("the kernel documentation's example of using VFIO", async (t) => {
  const machine = new Machine();
  for (const module of ['vfio_iommu_type1', 'mtty']) machine.modprobe(module);
  machine.createMdev('mtty', 'mtty-2', UUID);
  const user = machine.process();

  // Create a new container
  const container = user.open('/dev/vfio/vfio', O_RDWR);
  t.equal(user.ioctl(container, vfio.VFIO_GET_API_VERSION), vfio.VFIO_API_VERSION);
  t.equal(user.ioctl(container, vfio.VFIO_CHECK_EXTENSION, vfioIommu.VFIO_TYPE1_IOMMU), 1);

  // Open the group
  const number = user.readlink(`/sys/bus/mdev/devices/${UUID}/iommu_group`).split('/').pop();
  const group = user.open(`/dev/vfio/${number}`, O_RDWR);

  // Test the group is viable and available
  const groupStatus = argsz(vfio.GROUP_STATUS_SIZE);
  user.ioctl(group, vfio.VFIO_GROUP_GET_STATUS, groupStatus);
  t.ok(groupStatus.readUInt32LE(4) & vfio.VFIO_GROUP_FLAGS_VIABLE);

  // Add the group to the container
  const fd = Buffer.alloc(4);
  fd.writeInt32LE(container);
  user.ioctl(group, vfio.VFIO_GROUP_SET_CONTAINER, fd);

  // Enable the IOMMU model we want
  user.ioctl(container, vfio.VFIO_SET_IOMMU, vfioIommu.VFIO_TYPE1_IOMMU);

  // Get additional IOMMU info
  const iommuInfo = argsz(vfioIommu.TYPE1_INFO_SIZE);
  user.ioctl(container, vfioIommu.VFIO_IOMMU_GET_INFO, iommuInfo);
  t.equal(iommuInfo.readBigUInt64LE(8) & 4096n, 4096n, 'pages of 4096 bytes can be mapped');

  // Allocate some space and setup a DMA mapping: 1MB starting at 0x0 from device view
  const size = 1024n * 1024n;
  const vaddr = user.memory.map(Number(size));
  const dmaMap = argsz(vfioIommu.DMA_MAP_SIZE);
  dmaMap.writeUInt32LE(vfioIommu.VFIO_DMA_MAP_FLAG_READ | vfioIommu.VFIO_DMA_MAP_FLAG_WRITE, 4);
  dmaMap.writeBigUInt64LE(vaddr, 8);
  dmaMap.writeBigUInt64LE(0n, 16);
  dmaMap.writeBigUInt64LE(size, 24);
  t.equal(user.ioctl(container, vfioIommu.VFIO_IOMMU_MAP_DMA, dmaMap), 0);

  // Get a file descriptor for the device
  const device = user.ioctl(group, vfio.VFIO_GROUP_GET_DEVICE_FD, Buffer.from(`${UUID}\0`)) as number;

  // Test and setup the device
  const deviceInfo = argsz(vfio.DEVICE_INFO_MINSZ);
  user.ioctl(device, vfio.VFIO_DEVICE_GET_INFO, deviceInfo);
  const [regions, irqs] = [deviceInfo.readUInt32LE(8), deviceInfo.readUInt32LE(12)];
  t.same([regions, irqs], [9, 5]);

  // Setup mappings... read/write offsets, mmaps. For PCI devices, config space is a region
  const sizes: number[] = [];
  for (let index = 0; index < regions; index++) {
    const region = argsz(vfio.REGION_INFO_SIZE);
    region.writeUInt32LE(index, 8);
    try {
      user.ioctl(device, vfio.VFIO_DEVICE_GET_REGION_INFO, region);
      sizes.push(vfio.decodeRegionInfo(region).size);
      if (index === vfio.VFIO_PCI_CONFIG_REGION_INDEX) {
        const config = Buffer.from(user.pread(device, 4, vfio.decodeRegionInfo(region).offset));
        t.equal(config.readUInt32LE(), 0x32534348, 'vendor and device');
      }
    } catch {
      sizes.push(-1);
    }
  }
  t.same(sizes.slice(0, 2), [8, 8], 'two serial ports');

  // Gratuitous device reset and go...
  t.equal(user.ioctl(device, vfioIrq.VFIO_DEVICE_RESET), 0);
  user.exit();
  t.equal(machine.iommu.groups.size, 1, 'the device is still there, and free');
});
