/**
 * Parts of the kernel that are built in rather than loaded: modules find them like what another module exports.
 * @module
 */

import type { ModuleDefinition } from './module.js';

/** Names a built-in part and its type. It is always there, so no module holds it. */
export function builtin<T>(name: string): ModuleDefinition<T> {
  return {
    name,
    init: () => {
      throw new Error(`${name} is built in and cannot be loaded`);
    },
  };
}
