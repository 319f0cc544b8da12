// @ts-check
// The roles that an account may have, and what they are called.

/** @type {[string, string][]} */
export const ROLES = [["USER", "User"], ["ADMIN", "Super user"]];
