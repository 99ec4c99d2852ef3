/**
 * The parts that a device's directory is made of.
 * @module
 */

/** Sets of entries in a device's directory, which come and go together: bits beside those of an object's State. */
export const Part = {
  Uevent: 0x10,
  Class: 0x20,
  Groups: 0x40,
  Bus: 0x80,
  Power: 0x100,
  Node: 0x200,
  Driver: 0x400,
  /** Attribute groups that the driver gives a device once its probe was successful. */
  DriverGroups: 0x800,
  IommuGroup: 0x1000,
  /** Whatever a kind of device adds to these. */
  Own: 0x2000,
} as const;
