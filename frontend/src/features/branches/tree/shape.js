/**
 * Pure: how the tree of messages becomes lines on the screen.
 *
 *   m1 ── r1 ── m2 ── r2           m1            level 1
 *          └─── m3 ── r3           r1            level 1, opens and closes what is below
 *                                    m2          level 2: an alternative that went no further
 *                                    r2          level 2
 *                                  m3            level 1: where the conversation went on last
 *                                  r3            level 1
 *
 * Only alternatives are indented, and where the conversation went on last is never one: a thousand messages in a
 * row stay at the edge, and reading downwards along one level reads one branch.
 */

/** @typedef {import('../../../api/tree.js').TreeNode} TreeNode */

/**
 * @typedef {object} Line
 * @property {TreeNode} node
 * @property {number} level from 1
 * @property {string|null} above the line that closes over this one: where its alternative begins
 * @property {number} place among the lines of the same level below the same line, from 1
 * @property {number} places how many those are
 * @property {boolean} opens whether alternatives hang below it
 * @property {boolean} open
 * @property {number} alternative which of the alternatives this is the first message of, from 1; 0: there are none
 * @property {number} alternatives
 *
 * @typedef {object} Shape
 * @property {Map<string, TreeNode>} byId
 * @property {Map<string|null, TreeNode[]>} children oldest first; null: the first messages
 */

/**
 * @param {TreeNode[]} nodes parents before children
 * @returns {Shape}
 */
export function shapeOf(nodes) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  /** @type {Map<string|null, TreeNode[]>} */
  const children = new Map();
  for (const node of nodes) {
    const parent = node.parent_id !== null && byId.has(node.parent_id) ? node.parent_id : null;
    const siblings = children.get(parent);
    if (siblings) siblings.push(node);
    else children.set(parent, [node]);
  }
  return { byId, children };
}

/**
 * @param {TreeNode[]} nodes
 * @param {boolean} hiddenToo
 */
export function visibleNodes(nodes, hiddenToo) {
  return hiddenToo ? nodes : nodes.filter((node) => !node.hidden);
}

/**
 * @param {Shape} shape
 * @param {string|null} messageId
 * @returns {TreeNode[]} from the first message to this one; empty where it is not known
 */
export function pathTo(shape, messageId) {
  /** @type {TreeNode[]} */
  const path = [];
  let node = messageId === null ? undefined : shape.byId.get(messageId);
  while (node) {
    path.push(node);
    node = node.parent_id === null ? undefined : shape.byId.get(node.parent_id);
  }
  return path.reverse();
}

/**
 * @param {Shape} shape
 * @param {string} messageId
 * @returns {TreeNode[]} the ends of all branches through this message, oldest first
 */
export function leavesBelow(shape, messageId) {
  const start = shape.byId.get(messageId);
  if (!start) return [];
  /** @type {TreeNode[]} */
  const leaves = [];
  const open = [start];
  for (let node = open.pop(); node; node = open.pop()) {
    const below = shape.children.get(node.id);
    if (below) open.push(...below);
    else leaves.push(node);
  }
  return leaves.sort(byTime);
}

/** @param {Shape} shape */
export function allLeaves(shape) {
  return [...shape.byId.values()].filter((node) => !shape.children.has(node.id)).sort(byTime);
}

/**
 * @param {TreeNode} a
 * @param {TreeNode} b
 */
function byTime(a, b) {
  return Date.parse(a.at) - Date.parse(b.at) || a.version - b.version;
}

/**
 * When something last happened at or below each message. Children come after their parents, so walking backwards
 * meets every child before its parent.
 * @param {Shape} shape
 */
function lastActivity(shape) {
  /** @type {Map<string, number>} */
  const latest = new Map();
  for (const node of [...shape.byId.values()].reverse()) {
    const own = Math.max(Date.parse(node.at), latest.get(node.id) ?? 0);
    latest.set(node.id, own);
    if (node.parent_id !== null) latest.set(node.parent_id, Math.max(own, latest.get(node.parent_id) ?? 0));
  }
  return latest;
}

/**
 * @param {TreeNode[]} siblings oldest first
 * @param {Map<string, number>} latest
 * @returns {TreeNode} where the conversation went on last, in sight if any of them is
 */
function goesOn(siblings, latest) {
  return siblings.reduce((best, node) => {
    if (best.hidden !== node.hidden) return best.hidden ? node : best;
    return (latest.get(node.id) ?? 0) >= (latest.get(best.id) ?? 0) ? node : best;
  });
}

/**
 * @param {Shape} shape
 * @param {ReadonlySet<string>} closed messages whose alternatives are folded away
 * @returns {Line[]} from top to bottom
 */
export function linesOf(shape, closed) {
  const latest = lastActivity(shape);
  /** @type {Line[]} */
  const lines = [];
  /**
   * What is still to be written, the next one last. A stack instead of recursion: a straight conversation may be
   * deeper than the call stack allows.
   * @type {{node: TreeNode, level: number, above: string|null, alternative: number, alternatives: number}[]}
   */
  const todo = [];
  const roots = shape.children.get(null) ?? [];
  const many = roots.length > 1 ? roots.length : 0;
  roots.forEach((node, index) => {
    todo.unshift({ node, level: 1, above: null, alternative: many && index + 1, alternatives: many });
  });
  for (let next = todo.pop(); next; next = todo.pop()) {
    const { node, level, above } = next;
    const below = shape.children.get(node.id) ?? [];
    const opens = below.length > 1;
    const open = opens && !closed.has(node.id);
    lines.push({ ...next, place: 0, places: 0, opens, open });
    if (below.length === 0) continue;
    const straight = goesOn(below, latest);
    const alternatives = opens ? below.length : 0;
    const numbered = below.map((child, index) => ({ child, number: opens ? index + 1 : 0 }));
    const own = numbered.find(({ child }) => child === straight);
    todo.push({ node: straight, level, above, alternative: own?.number ?? 0, alternatives });
    if (!open) continue;
    for (const { child, number } of numbered.reverse()) {
      if (child !== straight) {
        todo.push({ node: child, level: level + 1, above: node.id, alternative: number, alternatives });
      }
    }
  }
  return countPlaces(lines);
}

/** @param {Line[]} lines */
function countPlaces(lines) {
  /** @type {Map<string|null, number>} */
  const counts = new Map();
  for (const line of lines) {
    line.place = (counts.get(line.above) ?? 0) + 1;
    counts.set(line.above, line.place);
  }
  for (const line of lines) line.places = counts.get(line.above) ?? 1;
  return lines;
}
