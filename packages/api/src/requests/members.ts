/** The members of a request's JSON object, each as the caller wrote it. */
export type Members = ReadonlyMap<string, Buffer>;
