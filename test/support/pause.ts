/** For pacing what a test sends or breaks; what it waits for, it waits for with `waitFor`. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
