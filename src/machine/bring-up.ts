/**
 * What happens to a fixture once its hardware is there, at boot as when it is plugged in: its rules of faults are in
 * force before its modules are loaded, then come virtual functions, and mediated devices last.
 * @module
 */

import { eachInTurn, type Sleeps } from '../lib/sleep.js';
import type { Fixture } from './fixture.js';
import { at } from './host.js';
import type { Machine } from './machine.js';
import { putBack } from './put-back.js';

/** Of what a step is, and the step; who runs it may wait for it or not. */
export type Step = readonly [what: string, run: () => Sleeps<void>];

export type Parts = Pick<Fixture, 'faults' | 'modules' | 'pci' | 'mdevs'>;

export function bringUp(
  machine: Machine,
  fixture: Parts,
  run: (...step: Step) => Sleeps<void>,
): Sleeps<void> {
  return eachInTurn(steps(machine, fixture), (step) => run(...step));
}

function steps(machine: Machine, { faults, modules, pci, mdevs }: Parts): Step[] {
  const functions = pci?.functions ?? [];
  return [
    ...faults.map((rule): Step => [`rule for ${rule.op}`, () => void machine.faults.add(rule)]),
    ...modules.map((entry): Step => {
      const name = typeof entry === 'string' ? entry : entry.name;
      return [`module ${name}`, () => machine.loadModule(entry)];
    }),
    ...functions.flatMap(({ address, sriov }, index): Step[] => {
      if (!sriov || sriov.numVfs === 0) return [];
      const write = () => machine.write(`/sys/bus/pci/devices/${address}/sriov_numvfs`, String(sriov.numVfs));
      return [[`${address}/sriov_numvfs`, () => at(['pci', 'functions', index, 'sriov', 'numVfs'], write)]];
    }),
    ...functions
      .filter(({ unbound }) => unbound)
      .map(({ address }): Step => [address, () => machine.unbind(`/sys/bus/pci/devices/${address}`)]),
    ...mdevs.map((mdev): Step => [mdev.uuid, () => putBack(machine, mdev)]),
  ];
}
