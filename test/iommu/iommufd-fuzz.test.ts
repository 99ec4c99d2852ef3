/**
 * 100,000 random requests on an iommufd with two devices that pin and copy: nothing but errnos comes back, the ledger
 * agrees with a second book that is kept here, and in the end nothing is locked.
 */

import t from 'tap';
import { Ioas } from '../../src/iommu/ioas.js';
import type { IommufdAccess } from '../../src/iommu/iommufd-access.js';
import * as uapi from '../../src/uapi/iommufd.js';
import { VFIO_IOMMU_GET_INFO, VFIO_IOMMU_MAP_DMA, VFIO_IOMMU_UNMAP_DMA } from '../../src/uapi/vfio-iommu.js';
import { random } from '../random.js';
import { IommufdUser, MEMORY, MEMORY_SIZE, outcome, struct, U64_MAX } from './iommufd.js';

const CALLS = 100_000;
const PAGES = [0n, 0x1000n, 0x2000n, 0x3000n, 0x4000n, 0x10000n, U64_MAX - 0xfffn];
const IOVAS = [...PAGES, ...PAGES, 1n, 0x800n, 1n << 63n, U64_MAX];
const LENGTHS = [0x1000n, 0x1000n, 0x1000n, 0x2000n, 0x2000n, 0x4000n, 0x10000n, 0n, 1n, 0x800n, U64_MAX];
const ADDRESSES = [0n, MEMORY, MEMORY, MEMORY + 1n, MEMORY + 0x1000n, MEMORY + 0x8000n, U64_MAX - 0xfffn];
const REQUESTS = [
  ...Array.from({ length: 17 }, (_, n) => uapi.IOMMU_DESTROY + n),
  ...Array.from({ length: 18 }, (_, n) => 0x3b64 + n),
];
const OFTEN = [uapi.IOMMU_IOAS_MAP, uapi.IOMMU_IOAS_COPY, VFIO_IOMMU_MAP_DMA];
const MOSTLY = [...OFTEN, ...OFTEN, uapi.IOMMU_IOAS_ALLOC, uapi.IOMMU_DESTROY, uapi.IOMMU_IOAS_UNMAP];

/**
 * Whether a request may change something although it fails: an answer cannot be written, a mapping reaches out of the
 * range after others that did not, mappings are cut before the range turns out to be none.
 */
const mayChange = (request: number, errno: string): boolean =>
  errno === 'EFAULT' ||
  (errno === 'ENOENT' && request === uapi.IOMMU_IOAS_UNMAP) ||
  request === VFIO_IOMMU_UNMAP_DMA;

for (const seed of [1, 2, 3]) {
  t.test(`random requests, seed ${seed}`, async (t) => {
    const below = random(seed);
    const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
    const user = new IommufdUser();
    const { memory, ctx } = user;
    const scratch = memory.map(8192);

    /** A device that remembers what it pinned, and lets go when it is told. */
    class Device {
      readonly access: IommufdAccess;
      pins: [bigint, number][] = [];
      /** How often it pinned. */
      count = 0;

      constructor() {
        this.access = user.bind((iova, length) => this.#letGo(iova, iova + length - 1n));
      }

      #letGo(first: bigint, last: bigint): void {
        const inRange = ([iova, count]: [bigint, number]) =>
          iova <= last && iova + BigInt(count) * 0x1000n > first;
        for (const pin of this.pins.filter(inRange)) this.access.unpinPages(...pin);
        this.pins = this.pins.filter((pin) => !inRange(pin));
      }

      act(): void {
        const { access } = this;
        const iova = pick(IOVAS);
        const count = 1 + below(3);
        const act = below(6);
        if (act === 0) outcome(() => access.attach(3 + below(3)));
        else if (act === 1 && below(8) === 0) access.detach();
        else if (act === 2) outcome(() => access.dmaRead(iova, below(5000)));
        else if (act === 3) outcome(() => access.dmaWrite(iova, Buffer.alloc(below(5000), below(256))));
        else if (act === 4 && this.pins.length > 3) access.unpinPages(...this.pins.pop()!);
        else {
          const page = pick(PAGES);
          if (typeof outcome(() => access.pinPages(page, count, below(4))) === 'string') return;
          this.pins.push([page, count]);
          this.count++;
        }
      }

      /** The pages of memory that it holds. */
      *pages(ioas: Ioas): Generator<string> {
        for (const [iova, count] of this.pins) {
          for (let n = 0n; n < count; n++) {
            const area = ioas.table.areas.findContaining(iova + n * 0x1000n)!;
            // Memory that was mapped by two requests is locked twice.
            yield `${pagesId(area.pages)}:${area.pageOf(iova + n * 0x1000n)}`;
          }
        }
      }
    }

    const ids = new Map<object, number>();
    const pagesId = (pages: object): number => {
      if (!ids.has(pages)) ids.set(pages, ids.size);
      return ids.get(pages)!;
    };
    const devices = [new Device(), new Device()];

    /** A structure that fits a request, or any other. */
    function randomStruct(request: number): Buffer {
      const id = () => (below(8) ? 3 + below(3) : below(8));
      const flags = () => (below(10) ? 6 | below(8) : below(0xffff));
      const reserved = () => (below(10) ? 0 : id());
      switch (below(8) ? request : pick(REQUESTS)) {
        case uapi.IOMMU_IOAS_ALLOC:
          return struct(12, reserved(), id());
        case uapi.IOMMU_DESTROY:
          return struct(8, below(4) ? id() : (pick([...ctx.objects])?.id ?? 0));
        case uapi.IOMMU_IOAS_MAP:
          return struct(40, flags(), id(), reserved(), pick(ADDRESSES), pick(LENGTHS), pick(IOVAS));
        case uapi.IOMMU_IOAS_COPY:
          return struct(40, flags(), id(), id(), pick(LENGTHS), pick(IOVAS), pick(IOVAS));
        case uapi.IOMMU_IOAS_UNMAP:
          return below(6) ? struct(24, id(), pick(IOVAS), pick(LENGTHS)) : struct(24, id(), 0n, U64_MAX);
        case uapi.IOMMU_IOAS_IOVA_RANGES:
        case uapi.IOMMU_IOAS_ALLOW_IOVAS:
          return struct(
            request === uapi.IOMMU_IOAS_ALLOW_IOVAS ? 24 : 32,
            id(),
            id(),
            reserved(),
            scratch,
            0n,
          );
        case uapi.IOMMU_OPTION:
          return struct(24, below(3), below(3), id(), BigInt(below(3)));
        case uapi.IOMMU_VFIO_IOAS:
          return struct(12, id(), below(3));
        case uapi.IOMMU_FAULT_QUEUE_ALLOC:
          return struct(16, reserved(), 0, 0);
        case VFIO_IOMMU_MAP_DMA:
          return struct(32, below(5), pick(ADDRESSES), pick(IOVAS), pick(LENGTHS));
        case VFIO_IOMMU_UNMAP_DMA:
          return struct(24, below(4) ? 0 : below(4), pick(IOVAS), pick(LENGTHS));
        case VFIO_IOMMU_GET_INFO:
          return struct(below(80), 0, 0n, 0, 0);
        default: {
          const bytes = Buffer.alloc(64);
          for (let n = 0; n < 16; n++) bytes.writeUInt32LE(below(below(3) ? 8 : 0xffff_ffff), 4 * n);
          return bytes;
        }
      }
    }

    const sizes = [12, 8, 24, 40, 16, 32, 48, 15, 0, 64];
    let succeeded = 0;
    for (let call = 0; call < CALLS / 3; call++) {
      if (below(4) === 0) {
        pick(devices).act();
        continue;
      }
      const request = below(2) ? pick(MOSTLY) : pick(REQUESTS);
      const bytes = randomStruct(request);
      if (below(10) === 0) bytes.writeUInt32LE(pick(sizes));
      const ledger = ctx.ledger();
      // Fault queues have files of their own; those that come here are closed again.
      const before = user.process.eventfd();
      user.process.close(before);
      const result = user.ioctl(
        request,
        below(30) ? Buffer.concat([bytes, Buffer.alloc(64)]) : below(2) ? 0 : bytes,
      );
      const after = user.process.eventfd();
      for (let fd = before; fd < after; fd++) user.process.close(fd);
      user.process.close(after);
      if (typeof result === 'number') succeeded++;
      else if (!mayChange(request, result) && ctx.ledger() !== ledger)
        t.fail(`${request.toString(16)} failed with ${result} and changed the ledger`);
      if (call % 100 === 0) check();
    }
    t.ok(succeeded > CALLS / 3 / 15, `${succeeded} succeeded`);
    for (const { count } of devices) t.ok(count > CALLS / 3 / 300, `${count} pins`);

    function check(): void {
      const held = new Set<string>();
      for (const object of ctx.objects) {
        if (!(object instanceof Ioas)) continue;
        let last = -1n;
        for (const area of object.table.areas) {
          if (area.start <= last || area.last < area.start || !area.isAligned(object.table.alignment))
            t.fail(`${area} is not in order`);
          last = area.last;
        }
        for (const device of devices) {
          if (object.table.users.has(device.access)) for (const page of device.pages(object)) held.add(page);
        }
      }
      if (memory.locked !== held.size) t.fail(`${memory.locked} pages are locked, ${held.size} are held`);
    }

    check();
    for (const { access } of devices) access.unbind();
    t.equal(memory.locked, 0);
    user.process.close(user.fd);
    t.ok(ctx.objects.empty);
    t.equal(memory.read(MEMORY, MEMORY_SIZE).length, MEMORY_SIZE);
  });
}
