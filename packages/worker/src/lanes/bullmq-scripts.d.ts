/** The texts of BullMQ's scripts, which its package has but does not describe. */
declare module 'bullmq/dist/cjs/scripts' {
  interface BullScript {
    readonly name: string;
    readonly content: string;
    /** How many of its arguments are keys. */
    readonly keys: number;
  }
  export const moveToActive: BullScript;
  export const moveToFinished: BullScript;
}
