/**
 * What can be measured: something that shows a tree, or is a tree already.
 * @module
 */

import type { Scope } from './scope.js';

/** Paths to work with, from the root. */
export interface Paths {
  /** Its text never changes. */
  file: string;
  /** Its text changes from time to time. */
  changing: string;
  link: string;
  dir: string;
}

/** A candidate that is up. */
export interface Served {
  root: string;
  /** Its server; none when the kernel itself is it. */
  pid?: number;
  paths: Paths;
  /** Whether devices can be created and removed. */
  creates: boolean;
  /** File that counts requests, from the root. */
  counter?: string;
}

export interface Candidate {
  name: string;
  /** For the report's legend. */
  about: string;
  /** Up to how many devices it is measured at all, and walked with find and ls. Beyond, it only takes time. */
  limit: { devices: number; walks: number };
  /**
   * Says once before the first start why it cannot be measured here.
   * @throws Error with the reason and the way out
   */
  prepare(): Promise<void>;
  /**
   * @param devices how many there are to be, numbered from 0
   */
  start(scope: Scope, devices: number): Promise<Served>;
}

const TYPE = 'devices/virtual/mdpy/mdpy/mdev_supported_types/mdpy-vga';

export const createFile = `${TYPE}/create`;
/** Before and after the UUID of a device. */
export const removeFile = { prefix: 'bus/mdev/devices', suffix: 'remove' };

/** In the tree of mdevfs and its copies: what scripts read most, a link and a directory of usual size. */
export const treePaths: Paths = {
  file: `${TYPE}/device_api`,
  changing: `${TYPE}/available_instances`,
  link: 'class/mdev_bus/mdpy',
  dir: TYPE,
};
