/**
 * Types of cryptographic adapters (arch/s390/include/asm/ap.h, drivers/s390/crypto/zcrypt_cex4.c): the generation, which is the
 * hardware type, and what a card is configured as.
 *
 * Differs: generations before CEX4 are left out, for which `vfio_ap` has no use.
 * @module
 */

/** What a card is configured as, as uevents say it. */
export type ApMode = 'accel' | 'cca' | 'ep11';

/** Hardware types, by generation. */
const generations = { CEX4: 10, CEX5: 11, CEX6: 12, CEX7: 13, CEX8: 14 } as const;
const modes = { A: 'accel', C: 'cca', P: 'ep11' } as const;

export type ApTypeName = `${keyof typeof generations}${keyof typeof modes}`;

/** Facility bits of the answer to a test of a queue, as `ap_functions` shows them. */
const APSC = 0x80000000;
const MEX_4K = 0x40000000;
const CRT_4K = 0x20000000;
const CCA = 0x10000000;
const ACCEL = 0x08000000;
const EP11 = 0x04000000;
const APXA = 0x02000000;

const facilities: Record<ApMode, number> = {
  accel: APSC + MEX_4K + CRT_4K + ACCEL + APXA,
  cca: APSC + CCA + APXA,
  ep11: APSC + EP11 + APXA,
};

export interface ApType {
  name: ApTypeName;
  hwtype: number;
  mode: ApMode;
  functions: number;
}

export const apTypes: readonly ApType[] = Object.entries(generations).flatMap(([generation, hwtype]) =>
  Object.entries(modes).map(([letter, mode]) => ({
    name: `${generation}${letter}` as ApTypeName,
    hwtype,
    mode,
    functions: facilities[mode],
  })),
);

export const apType = (name: ApTypeName): ApType => apTypes.find((type) => type.name === name)!;

/** The type of a card by what its files show; undefined for one that is left out here. */
export function apTypeOf(hwtype: number, functions: number): ApType | undefined {
  const bits = { accel: ACCEL, cca: CCA, ep11: EP11 };
  return apTypes.find((type) => type.hwtype === hwtype && (functions & bits[type.mode]) !== 0);
}
