const PICTURE = String.raw`\p{Extended_Pictographic}[\p{Emoji_Modifier}\uFE0F]?`;

/** Pattern of characters that are drawn as one picture: of a key, a flag, or pictures with joiners between them. */
export const EMOJI = String.raw`[0-9#*]\uFE0F\u20E3|\p{Regional_Indicator}{2}|${PICTURE}(?:\u200D${PICTURE})*`;

// The compiler knows the flag for a later target than ours alone.
const LISTED = new RegExp(String.raw`^\p{RGI_Emoji}$`, 'v');

/** Whether a picture is one of those that Unicode lists for all to draw: each looks different from all others. */
export function isListed(emoji: string): boolean {
  return LISTED.test(emoji);
}
