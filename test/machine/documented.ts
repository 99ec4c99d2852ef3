/**
 * What docs/fixtures.md says of fields, and what the JSON Schema says of them, in one form: sections with their fields.
 * @module
 */

/** Name, and what stands for the default: `required`, a value, or words. */
export interface Field {
  name: string;
  /** Undefined where the table has no such column. */
  otherwise: string | undefined;
}

export interface JsonSchema {
  type?: string;
  const?: unknown;
  default?: unknown;
  required?: string[];
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  additionalProperties?: JsonSchema | boolean;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  definitions?: Record<string, JsonSchema>;
}

/** Headings by the place of what they describe; `*` is any entry. */
const SECTIONS: Record<string, string> = {
  '': 'The host',
  'moduleImages.*': '`moduleImages.NAME`',
  'mdevs.*': '`mdevs[]`',
  'faults.*': '`faults[]`',
  iommu: '`iommu`',
  'vgpus.*': 'Vendor drivers: `vgpus[]`',
  'vgpus.*.types.*': '`types[]`',
  'vgpus.*.attributes.*': 'Attributes',
  'vgpus.*.binding': 'Setup',
  ap: 'Cryptographic adapters: `ap`',
  css: 'Subchannels: `css`',
  pci: 'PCI: `pci`',
  'pci.roots.*': '`roots[]`',
  'pci.functions.*': '`functions[]`',
  'pci.functions.*.sriov': '`sriov`',
  'pci.drivers.*': '`drivers[]`',
  'definitions.device': 'Plain devices',
  'definitions.node': 'Raw nodes',
};

/** The alternative that is an object or a list. */
function shape(schema: JsonSchema | boolean | undefined): JsonSchema | undefined {
  if (typeof schema !== 'object') return undefined;
  return (schema.anyOf ?? [schema]).find(({ properties, items, additionalProperties }) => {
    return properties ?? items ?? additionalProperties;
  });
}

function step(schema: JsonSchema | undefined, name: string): JsonSchema | undefined {
  const here = shape(schema);
  if (name === '*') return shape(here?.items ?? here?.additionalProperties);
  return here?.properties?.[name] ?? (here?.definitions ?? schema?.definitions)?.[name];
}

function at(schema: JsonSchema, path: string): JsonSchema | undefined {
  const names = path.replace(/^definitions\./, '').split('.');
  return path === '' ? schema : names.reduce<JsonSchema | undefined>(step, schema);
}

const hasSection = (path: string) => path in SECTIONS || `${path}.*` in SECTIONS;

function fieldsAt(schema: JsonSchema, path: string, prefix = ''): Field[] {
  const here = shape(at(schema, path));
  return Object.entries(here?.properties ?? {}).flatMap(([name, field]) => {
    const below = path === '' ? name : `${path}.${name}`;
    const isRequired = here?.required?.includes(name);
    const value = field.default === undefined ? '' : shown(field.default);
    const own = { name: `${prefix}${name}`, otherwise: isRequired ? 'required' : value };
    if (hasSection(below)) return [own];
    const entry = field.items || field.anyOf ? `${below}.*` : below;
    return [own, ...fieldsAt(schema, entry, `${prefix}${name}.`)];
  });
}

const shown = (value: unknown) =>
  typeof value === 'number'
    ? String(value)
    : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;

/** Sections with the fields of the schema, in its order. */
export function schemaFields(schema: JsonSchema): Map<string, Field[]> {
  const sections = Object.entries(SECTIONS).map(
    ([path, heading]) => [heading, fieldsAt(schema, path)] as const,
  );
  const fields = new Map(sections);
  const setup = new Set(fields.get('Setup')!.map(({ name }) => `binding.${name}`));
  const drivers = fields.get(SECTIONS['pci.drivers.*']!)!;
  // What drivers share has a section of its own.
  return fields.set(
    SECTIONS['pci.drivers.*']!,
    drivers.filter(({ name }) => !setup.has(name)),
  );
}

/** The rules of policies, in the order of the schema. */
export function schemaRules(schema: JsonSchema): unknown[] {
  return (at(schema, 'vgpus.*')?.properties?.policy?.oneOf ?? []).map(
    ({ properties }) => properties?.rule?.const,
  );
}

/** Sections with the rows of their tables of fields. */
export function documentedFields(markdown: string, column = 'field'): Map<string, Field[]> {
  const sections = new Map<string, Field[]>();
  let heading = '';
  let columns: string[] | undefined;
  for (const line of markdown.split('\n')) {
    if (line.startsWith('#')) heading = line.replace(/^#+ /, '');
    if (!line.startsWith('| ')) columns = line.startsWith('|---') ? columns : undefined;
    else if (!columns) columns = cells(line);
    else if (columns[0] === column) {
      const [names = '', otherwise = ''] = cells(line);
      const rows = names.split(', ').map((name) => ({
        name: name.replaceAll(/[`]|\[\]/g, ''),
        otherwise: columns?.includes('default') ? otherwise : undefined,
      }));
      sections.set(heading, [...(sections.get(heading) ?? []), ...rows]);
    }
  }
  return sections;
}

const cells = (line: string) =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
