/** How an interpreter is started. */
export interface PythonCommand {
  readonly file: string;
  /** E.g. LD_LIBRARY_PATH of an interpreter that was unpacked rather than installed. */
  readonly env: Readonly<Record<string, string>>;
}
