/**
 * The parts that a device's directory is made of.
 * @module
 */

/** Sets of entries in a device's directory, which come and go together. */
export const Part = {
  Uevent: 1,
  Class: 2,
  Groups: 4,
  Bus: 8,
  Power: 16,
  Node: 32,
  Driver: 64,
  /** Attribute groups that the driver gives a device once its probe was successful. */
  DriverGroups: 128,
  IommuGroup: 256,
  /** Whatever a kind of device adds to these. */
  Own: 512,
} as const;
