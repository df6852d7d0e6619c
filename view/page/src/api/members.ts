// Reads a list member by member, as its text comes. Of 100,000 Pods a page of 500 is a megabyte, four fifths of which say who wrote
// which field: read as a whole it would be garbage that a browser keeps for long, read so it is gone before it is kept.

const quote = 34, backslash = 92, openList = 91, closeList = 93, openObject = 123, closeObject = 125;
const managed = '"managedFields":';

/** Divides the text of a list, or of a Table, into its members and its head, which is all else. */
export class Members {
  private head = "";
  private text = ""; // of the member that is being read
  private depth = 0;
  private quoted = false;
  private escaped = false;
  private inside = false; // the array of members
  private skipping = false; // what a Table's row says about managed fields

  /** begin is called with the head as far as it is known, before each array of members. */
  constructor(private readonly begin: (head: any) => void, private readonly member: (object: any) => void) {}

  push(chunk: string) {
    let from = 0; // what is before it is kept, or not wanted
    for (let i = 0; i < chunk.length; i++) {
      const c = chunk.charCodeAt(i);
      if (this.escaped) this.escaped = false;
      else if (this.quoted) {
        if (c === backslash) this.escaped = true;
        else if (c === quote) this.quoted = false;
      } else if (c === quote) this.quoted = true;
      else if (c === openList || c === openObject) from = this.open(chunk, from, i, c === openList);
      else if (c === closeList || c === closeObject) from = this.close(chunk, from, i);
    }
    this.keep(chunk.slice(from));
  }

  /** The head, when all was read. */
  end(): any {
    return JSON.parse(this.head);
  }

  private keep(text: string) {
    if (!this.inside) this.head += text;
    else if (this.depth > 2 && !this.skipping) this.text += text;
  }

  // Depths: the list is 1, its members' array 2, a member 3; a row's object 4, its metadata 5, managed fields 6.
  private open(chunk: string, from: number, i: number, list: boolean): number {
    this.depth++;
    if (!this.inside) {
      if (!list || this.depth !== 2) return from;
      this.head += chunk.slice(from, i + 1);
      this.inside = /"(rows|items)":\s*\[$/.test(this.head.slice(-40));
      if (this.inside) this.begin(JSON.parse(this.head + "]}"));
      return i + 1;
    }
    if (this.depth === 3) return i;
    if (list && this.depth === 6 && !this.skipping && (i - from >= managed.length ? chunk.slice(i - managed.length, i) : this.text + chunk.slice(from, i)).endsWith(managed)) {
      this.text += chunk.slice(from, i + 1);
      this.skipping = true;
    }
    return from;
  }

  private close(chunk: string, from: number, i: number): number {
    this.depth--;
    if (!this.inside) return from;
    if (this.skipping && this.depth === 5) {
      this.skipping = false;
      return i;
    }
    if (this.depth === 2) {
      const text = this.text + chunk.slice(from, i + 1);
      this.text = "";
      this.member(JSON.parse(text));
      return i + 1;
    }
    if (this.depth === 1) {
      this.inside = false;
      return i;
    }
    return from;
  }
}
