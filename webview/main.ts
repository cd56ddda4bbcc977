// The pages' entry. No page is written yet, so nothing is mounted.
export {};
