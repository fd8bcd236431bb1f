/** The change set does not fit the bytes, or says too little: the attribute is encoded whole. */
export class Unfit extends Error {}
