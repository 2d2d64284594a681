/**
 * @file Large graphs in sections: each is the branch of an `If` that is always taken. ONNX Runtime plans the memory of every
 * branch by itself, and planning takes the square of the nodes: sections make it linear. Nothing is computed otherwise.
 */
import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type TensorProto_DataType as DataType,
  type GraphProto,
  GraphProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  ValueInfoProtoSchema,
} from './onnx_pb.ts';

/** Nodes that belong together, such as those of one operator. */
export interface NodeGroup {
  readonly nodes: readonly NodeProto[];
  /** Whether they stand outside of all sections: a section holds what it reads until it ends, however large it is. */
  readonly isOutside: boolean;
}

export interface SectionOptions {
  /** Nodes of a section at least, where no group outside ends it. */
  readonly size: number;
  /** Names that the graph gives back. */
  readonly results: ReadonlySet<string>;
  /** A bool of one element that is true at every run, which no optimiser may find out. */
  readonly condition: string;
  typeOf(name: string): DataType;
  /** Any initializer of a type. */
  anyOf(type: DataType): string;
}

/** The nodes of a graph in the order in which they are to run, in sections. */
export function inSections(groups: readonly NodeGroup[], options: SectionOptions): NodeProto[] {
  const sections = cut(groups, options.size);
  const madeBy = new Map<string, { readonly node: NodeProto; readonly section: number }>();
  sections.forEach(({ nodes }, section) => {
    for (const node of nodes) for (const name of node.output) madeBy.set(name, { node, section });
  });
  const crossing = new Set([...options.results].filter((name) => madeBy.has(name)));
  // A view that crossed would be a copy: each section makes its own, after what it views.
  const views = sections.map(({ nodes }, section) => {
    const made = new Map<string, NodeProto>();
    const look = (name: string) => {
      const maker = madeBy.get(name);
      if (maker === undefined || maker.section === section || made.has(name)) return;
      if (maker.node.opType !== 'Reshape') {
        crossing.add(name);
        return;
      }
      for (const input of maker.node.input) look(input);
      made.set(name, maker.node);
    };
    for (const node of nodes) for (const name of node.input) look(name);
    return made;
  });
  return sections.flatMap(({ nodes, isOutside }, section) => {
    // A name that is known outside may not be made again inside.
    const renamed = (name: string) => {
      if (views[section]!.has(name)) return `${name} viewed in ${section}`;
      const isOurs = !isOutside && crossing.has(name) && madeBy.get(name)!.section === section;
      return isOurs ? `${name} inside` : name;
    };
    const inner = [...views[section]!.values(), ...nodes].map((node, i) =>
      create(NodeProtoSchema, {
        ...node,
        name: i < views[section]!.size ? `${node.name} again in ${section}` : node.name,
        input: node.input.map(renamed),
        output: node.output.map(renamed),
      }),
    );
    if (isOutside) return inner;
    const given = nodes.flatMap((node) => node.output.filter((name) => crossing.has(name)));
    // Views alone, each made again where it is read; an `If` must give something.
    if (given.length === 0) return [];
    return [conditional(`section ${section}`, inner, given, renamed, options)];
  });
}

/** Sections of whole groups. */
function cut(groups: readonly NodeGroup[], size: number) {
  const sections: { readonly nodes: NodeProto[]; readonly isOutside: boolean }[] = [];
  for (const { nodes, isOutside } of groups) {
    const last = sections.at(-1);
    if (last === undefined || last.isOutside !== isOutside || (!isOutside && last.nodes.length >= size))
      sections.push({ nodes: [...nodes], isOutside });
    else last.nodes.push(...nodes);
  }
  return sections.filter(({ nodes }) => nodes.length > 0);
}

/** An `If` that runs `nodes` and gives `given`, which they call by other names. */
function conditional(
  name: string,
  nodes: readonly NodeProto[],
  given: readonly string[],
  inside: (name: string) => string,
  { condition, typeOf, anyOf }: SectionOptions,
): NodeProto {
  const never = (result: string) => `${result} never`;
  const graph = (of: string, node: readonly NodeProto[], nameOf: (result: string) => string) =>
    create(GraphProtoSchema, {
      name: of,
      node: [...node],
      output: given.map((result) => untyped(nameOf(result), typeOf(result))),
    });
  const other = given.map((result) =>
    create(NodeProtoSchema, {
      opType: 'Identity',
      name: `${name} ${result}`,
      input: [anyOf(typeOf(result))],
      output: [never(result)],
    }),
  );
  return create(NodeProtoSchema, {
    opType: 'If',
    name,
    input: [condition],
    output: [...given],
    attribute: [
      branch('then_branch', graph(name, nodes, inside)),
      branch('else_branch', graph(`not ${name}`, other, never)),
    ],
  });
}

const branch = (name: string, graph: GraphProto) =>
  create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g: graph });

/** The type of a value whose shape is not told. */
const untyped = (name: string, elemType: DataType) =>
  create(ValueInfoProtoSchema, { name, type: { value: { case: 'tensorType', value: { elemType } } } });
