/**
 * Displays of VFIO devices: the question of user space for the plane that is shown.
 * @module
 */

import type { UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  encodeGfxPlane,
  GFX_PLANE_INFO_MINSZ,
  type GfxPlane,
  gfxPlaneType,
  VFIO_GFX_PLANE_TYPE_PROBE,
} from '../uapi/vfio.js';

/**
 * Answers VFIO_DEVICE_QUERY_GFX_PLANE for a device that offers its plane in one way.
 * @param type VFIO_GFX_PLANE_TYPE_REGION or VFIO_GFX_PLANE_TYPE_DMABUF
 * @param shown finds what is shown for a type of plane (DRM_PLANE_TYPE_*); without it the structure is all zeros
 * @throws EFAULT; EINVAL for too small a structure, and unless the plane is asked for in that way, or that is probed
 */
export function queryGfxPlane(
  arg: UserPointer,
  type: number,
  shown: (planeType: number) => GfxPlane | undefined,
): number {
  const asked = arg.read(GFX_PLANE_INFO_MINSZ);
  const [argsz, flags] = [asked.readUInt32LE(0), asked.readUInt32LE(4)];
  if (argsz < GFX_PLANE_INFO_MINSZ) throw new KernelError(Errno.EINVAL);
  if (flags === (VFIO_GFX_PLANE_TYPE_PROBE | type)) return 0;
  if (flags !== type) throw new KernelError(Errno.EINVAL);
  arg.write(encodeGfxPlane(asked, shown(gfxPlaneType(asked))));
  return 0;
}
