/** What of MIME types and codecs is played here. */

const PLAYED = /^(application\/vnd\.apple\.mpegurl|application\/x-mpegurl|application\/dash\+xml|video\/(mp4|x-gsv))$/i;
const CODECS = /^(gsv1|gsve|mp4a|opus)\b/i;

/** "probably" if a type names codecs that are known, "maybe" if it names none, "" if it is not played.
 * @param {string} type
 * @returns {CanPlayTypeResult} */
export function canPlay(type) {
  const [mime, ...parameters] = type.split(";").map((part) => part.trim());
  if (!PLAYED.test(mime)) return "";
  const codecs = parameters.find((part) => part.startsWith("codecs="))?.slice(7).replaceAll('"', "");
  if (!codecs) return "maybe";
  return codecs.split(",").every((codec) => CODECS.test(codec.trim())) ? "probably" : "";
}
