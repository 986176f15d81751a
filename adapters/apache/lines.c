/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lines.c - physical lines -> logical lines -> words
 *
 * As ap_cfg_getline_core(), cfg_trim_line() and ap_getword_conf() of httpd 2.4 read them. A line that
 * stands in the file as it is is only pointed at; one that is joined or holds variables is put
 * together elsewhere, with pieces that lead back to the file.
 */
#include "adapter.h"

#include <string.h>

static unsigned char lower(char byte)
{
	return (unsigned char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
}

bool apache_is_space(char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool is_letter(char byte)
{
	return lower(byte) >= 'a' && lower(byte) <= 'z';
}

/* How the names of all directives begin that mean something here (directives.c), in lower case. */
static bool may_tell(const char *name)
{
	char second = name[1];

	switch (lower(name[0])) {
	case 'd': /* Define */
		return lower(second) == 'e';
	case 'i': /* Include */
		return lower(second) == 'n';
	case 'l': /* Listen, LoadModule */
		return lower(second) == 'i' || lower(second) == 'o';
	case 'm': /* MDomain */
		return lower(second) == 'd';
	case 'p': /* PidFile, Protocol */
		return lower(second) == 'i' || lower(second) == 'r';
	case 'r': /* RemoteIPProxyProtocol; but there may be many a Rewrite… and Redirect */
		return lower(second) == 'e' && (lower(name[2]) == 'm' || !is_letter(name[2]));
	case 's': /* ServerName, SSLEngine */
		return lower(second) == 'e' || lower(second) == 's';
	case 'u': /* UnDefine, UndefMacro, Use */
		return lower(second) == 'n' || lower(second) == 's';
	default:
		return false;
	}
}

void apache_skip_opaque(struct apache_source *source)
{
	if (source->file == NULL || source->file->has_nul)
		return;
	while (source->next < source->length) {
		const char *at = source->bytes + source->next, *end = source->bytes + source->length;
		const char *newline = memchr(at, '\n', (size_t)(end - at)), *last;

		if (newline == NULL)
			return;
		while (at < newline && apache_is_space(*at))
			at++;
		/* Empty, a comment, or two letters of a name that is none of ours. */
		if (at < newline && *at != '#') {
			if (newline - at < 2 || !is_letter(at[0]) || !is_letter(at[1]) || may_tell(at))
				return;
		}
		last = newline > source->bytes + source->next && newline[-1] == '\r' ? newline - 1
										     : newline;
		if (last > source->bytes + source->next && last[-1] == '\\')
			return;
		source->next = (size_t)(newline - source->bytes) + 1;
		source->line++;
	}
}

int apache_compare_caseless(const char *one, const char *other, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (one[i] != other[i] && lower(one[i]) != lower(other[i]))
			return lower(one[i]) < lower(other[i]) ? -1 : 1;
		if (one[i] == '\0')
			break;
	}
	return 0;
}

bool apache_same_caseless(const char *one, const char *other)
{
	return apache_compare_caseless(one, other, strlen(one) + 1) == 0;
}

/* ---- text that grows ---- */

int apache_text_add(struct certdeploy_reading *reading, struct apache_text *text, const char *bytes,
		    size_t length)
{
	size_t room = text->room == 0 ? 512 : text->room;
	char *larger;

	while (room - text->length < length + 1)
		room *= 2;
	if (room != text->room) {
		larger = certdeploy_alloc(reading, room);
		if (larger == NULL)
			return CERTDEPLOY_ENOMEM;
		if (text->length != 0)
			memcpy(larger, text->bytes, text->length);
		text->bytes = larger;
		text->room = room;
	}
	if (length != 0)
		memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = '\0';
	return 0;
}

int apache_add_piece(struct certdeploy_reading *reading, struct apache_pieces *pieces,
		     const struct apache_piece *piece)
{
	if (pieces->count == pieces->room) {
		size_t room = pieces->room == 0 ? 8 : pieces->room * 2;
		struct apache_piece *larger = certdeploy_alloc(reading, room * sizeof(*larger));

		if (larger == NULL)
			return CERTDEPLOY_ENOMEM;
		if (pieces->count != 0)
			memcpy(larger, pieces->items, pieces->count * sizeof(*larger));
		pieces->items = larger;
		pieces->room = room;
	}
	pieces->items[pieces->count++] = *piece;
	return 0;
}

/* ---- lines ---- */

/* One physical line from the source: [start, end) without its newline. */
struct physical {
	size_t start;
	size_t end;
	bool newline;
};

static bool next_physical(struct apache_source *source, struct physical *physical)
{
	const char *newline;

	if (source->next >= source->length)
		return false;
	physical->start = source->next;
	newline = memchr(source->bytes + source->next, '\n', source->length - source->next);
	physical->newline = newline != NULL;
	physical->end = newline == NULL ? source->length : (size_t)(newline - source->bytes);
	source->next = physical->end + (newline == NULL ? 0 : 1);
	source->line++;
	return true;
}

/*
 * The line in which a macro's text ends is read by mod_macro, to its last byte, and lost where the file
 * ends without a newline.
 */
static bool is_lost(const struct physical *physical, bool behind_macro)
{
	return behind_macro && !physical->newline;
}

static void trim(struct apache_line *line)
{
	while (line->length > 0 && apache_is_space(line->text[0])) {
		line->text++;
		line->length--;
	}
	while (line->length > 0 && apache_is_space(line->text[line->length - 1]))
		line->length--;
}

/*
 * A NUL ends what httpd sees of a physical line. It reads through a buffer of at least 199 bytes,
 * though, so that the rest of a longer line may come as a line of its own: not worth guessing.
 */
static int cut_at_nul(struct apache_lines *lines, const struct apache_source *source,
		      struct physical *physical, bool *cut)
{
	const char *nul = memchr(source->bytes + physical->start, '\0', physical->end - physical->start);

	*cut = nul != NULL;
	if (nul == NULL)
		return 0;
	if (physical->end - physical->start > 190)
		return certdeploy_refuse(lines->reading, "config-not-understood",
					 source->file == NULL ? NULL : source->file->path, source->line - 1,
					 _("a long line holds a NUL byte"));
	physical->end = (size_t)(nul - source->bytes);
	return 0;
}

/*
 * Join lines as httpd does: after each physical line it looks at the end of what it has so far, so an
 * empty line after two backslashes is a continuation again. The piece of a continued line still counts
 * its backslash, where the next piece lies over it: later pieces win.
 */
static int join(struct apache_lines *lines, struct apache_source *source, struct apache_line *line,
		struct physical physical, bool behind_macro)
{
	struct apache_text *text = &lines->joined;
	int result = 0;
	bool cut = false;

	text->length = 0;
	lines->joined_pieces.count = 0;
	for (;;) {
		struct apache_piece piece;
		size_t length;

		if (source->file == NULL || source->file->has_nul)
			result = cut_at_nul(lines, source, &physical, &cut);
		if (result != 0)
			return result;
		length = physical.end - physical.start;
		piece = (struct apache_piece){text->length, length, physical.start, length, false};
		result = apache_text_add(lines->reading, text, source->bytes + physical.start, length);
		if (result == 0)
			result = apache_add_piece(lines->reading, &lines->joined_pieces, &piece);
		if (result != 0)
			return result;
		if (text->length > APACHE_LINE_LIMIT)
			return certdeploy_refuse(lines->reading, "config-syntax",
						 source->file == NULL ? NULL : source->file->path,
						 line->number, _("the line is longer than httpd accepts"));
		line->continued = false;
		if (!physical.newline || cut)
			break;
		length = text->length;
		if (length > 0 && text->bytes[length - 1] == '\r')
			length--;
		if (length == 0 || text->bytes[length - 1] != '\\')
			break;
		text->length = length - 1;
		line->continued = true;
		if (!next_physical(source, &physical) || is_lost(&physical, behind_macro))
			break;
	}
	line->text = text->bytes == NULL ? "" : text->bytes;
	line->length = text->length;
	line->pieces = lines->joined_pieces.items;
	line->piece_count = lines->joined_pieces.count;
	return 0;
}

/* Cut to what trimming leaves, so that pieces count from the text's first byte. */
static void trim_joined(struct apache_lines *lines, struct apache_line *line)
{
	const char *before = line->text;
	size_t skipped;

	trim(line);
	skipped = (size_t)(line->text - before);
	for (size_t i = 0; i < lines->joined_pieces.count; i++) {
		struct apache_piece *piece = &lines->joined_pieces.items[i];
		size_t cut = skipped > piece->at ? skipped - piece->at : 0;

		if (cut > piece->length)
			cut = piece->length;
		piece->at += cut;
		piece->from += cut;
		piece->length -= cut;
		piece->from_length -= cut;
		piece->at = piece->at > skipped ? piece->at - skipped : 0;
	}
}

static bool is_joined(const struct apache_source *source, const struct physical *physical)
{
	size_t end = physical->end;

	if (source->file != NULL && source->file->has_nul)
		return true;
	if (!physical->newline)
		return false;
	if (end > physical->start && source->bytes[end - 1] == '\r')
		end--;
	return end > physical->start && source->bytes[end - 1] == '\\';
}

int apache_next_line(struct apache_lines *lines, struct apache_line *line)
{
	struct apache_source *source = lines->source;
	struct physical physical;
	bool behind_macro = false;
	int result;

	while (!next_physical(source, &physical)) {
		if (source->upper == NULL)
			return 0;
		lines->source = source = source->upper;
		behind_macro = true;
	}
	if (is_lost(&physical, behind_macro))
		return 0;
	*line = (struct apache_line){.start = physical.start,
				     .number = source->line - 1,
				     .file = source->file,
				     .use = source->use};
	if (is_joined(source, &physical)) {
		result = join(lines, source, line, physical, behind_macro);
		if (result != 0)
			return result;
		trim_joined(lines, line);
	} else {
		line->text = source->bytes + physical.start;
		line->length = physical.end - physical.start;
		if (line->length > APACHE_LINE_LIMIT)
			return certdeploy_refuse(lines->reading, "config-syntax",
						 source->file == NULL ? NULL : source->file->path,
						 line->number, _("the line is longer than httpd accepts"));
		trim(line);
	}
	line->end = source->next;
	return 1;
}

/* ---- words ---- */

bool apache_next_word(const struct apache_line *line, size_t *at, struct apache_word *word)
{
	const char *text = line->text;
	size_t end = line->length, i = *at;

	while (i < end && apache_is_space(text[i]))
		i++;
	if (i == end) {
		*at = i;
		return false;
	}
	*word = (struct apache_word){.start = i};
	if (text[i] == '"' || text[i] == '\'') {
		word->quote = text[i++];
		word->content = i;
		while (i < end && text[i] != word->quote) {
			if (text[i] == '\\' && i + 1 < end &&
			    (text[i + 1] == '\\' || text[i + 1] == word->quote)) {
				word->escaped = true;
				i++;
			}
			i++;
		}
		word->content_length = i - word->content;
		if (i < end)
			i++;
	} else {
		word->content = i;
		/* Most bytes are neither: one comparison for each of the two. */
		while (i < end && ((unsigned char)text[i] > ' ' || !apache_is_space(text[i]))) {
			if (text[i] == '\\' && i + 1 < end && text[i + 1] == '\\')
				word->escaped = true;
			i++;
		}
		word->content_length = i - word->content;
	}
	word->end = i;
	while (i < end && apache_is_space(text[i]))
		i++;
	*at = i;
	return true;
}

char *apache_word_value(struct certdeploy_reading *reading, const struct apache_line *line,
			const struct apache_word *word)
{
	char *value = certdeploy_copy(reading, line->text + word->content, word->content_length);
	char *out = value;

	if (value == NULL || !word->escaped)
		return value;
	for (const char *in = value; *in != '\0'; in++) {
		if (in[0] == '\\' && (in[1] == '\\' || (word->quote != '\0' && in[1] == word->quote)))
			in++;
		*out++ = *in;
	}
	*out = '\0';
	return value;
}

/* The piece that holds byte `at` of the text; at the seam of two, the first or the second of them. */
static const struct apache_piece *piece_at(const struct apache_line *line, size_t at, bool second)
{
	const struct apache_piece *found = NULL;

	for (size_t i = 0; i < line->piece_count; i++) {
		const struct apache_piece *piece = &line->pieces[i];

		if (piece->length == 0 && !piece->variable)
			continue;
		if (second ? at >= piece->at && at < piece->at + piece->length
			   : at > piece->at && at <= piece->at + piece->length)
			found = piece;
	}
	return found;
}

bool apache_line_span(const struct apache_line *line, size_t start, size_t end, size_t *offset,
		      size_t *length)
{
	const struct apache_piece *first, *last;
	size_t from, to;

	if (line->file == NULL || end <= start)
		return false;
	if (line->pieces == NULL) {
		*offset = (size_t)(line->text - line->file->bytes) + start;
		*length = end - start;
		return true;
	}
	first = piece_at(line, start, true);
	last = piece_at(line, end, false);
	if (first == NULL || last == NULL || (first->variable && start != first->at) ||
	    (last->variable && end != last->at + last->length))
		return false;
	from = first->from + (first->variable ? 0 : start - first->at);
	to = last->from + (last->variable ? last->from_length : end - last->at);
	*offset = from;
	*length = to - from;
	return to > from;
}

/* ---- patterns ---- */

/* What stands in a pattern behind what matches a byte, which is no '*'; NULL: it does not. */
typedef const char *step(const char *pattern, char byte);

/* Linear in practice and never worse than length times length: one place to go back to. */
static bool matches(const char *pattern, const char *name, step *next)
{
	const char *star = NULL, *resume = NULL;

	while (*name != '\0') {
		const char *behind = *pattern == '*' ? NULL : next(pattern, *name);

		if (*pattern == '*') {
			star = ++pattern;
			resume = name;
		} else if (behind != NULL) {
			pattern = behind;
			name++;
		} else if (star != NULL) {
			pattern = star;
			name = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/* As ap_strcasecmp_match() of httpd. */
static const char *step_alias(const char *pattern, char byte)
{
	return *pattern == '?' || lower(*pattern) == lower(byte) ? pattern + 1 : NULL;
}

bool apache_alias_matches(const char *pattern, const char *name)
{
	return matches(pattern, name, step_alias);
}

bool apache_is_glob(const char *text)
{
	bool bracket = false;

	for (; *text != '\0'; text++) {
		if (*text == '*' || *text == '?')
			return true;
		if (*text == '\\' && text[1] != '\0')
			text++;
		else if (*text == '[')
			bracket = true;
		else if (*text == ']' && bracket)
			return true;
	}
	return false;
}

/* [a-z], [!a-z], [^a-z]: NULL when it does not match, else what follows it. */
static const char *class_matches(const char *pattern, char byte)
{
	bool negated = *pattern == '!' || *pattern == '^', matched = false;
	const unsigned char wanted = (unsigned char)byte;

	if (negated)
		pattern++;
	for (bool first = true; *pattern != '\0' && (first || *pattern != ']'); first = false) {
		unsigned char low, high;

		if (*pattern == '\\' && pattern[1] != '\0')
			pattern++;
		low = high = (unsigned char)*pattern++;
		if (*pattern == '-' && pattern[1] != '\0' && pattern[1] != ']') {
			pattern++;
			if (*pattern == '\\' && pattern[1] != '\0')
				pattern++;
			high = (unsigned char)*pattern++;
		}
		matched = matched || (wanted >= low && wanted <= high);
	}
	if (*pattern != ']')
		return NULL;
	return matched != negated ? pattern + 1 : NULL;
}

/* As apr_fnmatch() with APR_FNM_PERIOD, for one component. */
static const char *step_glob(const char *pattern, char byte)
{
	if (*pattern == '[')
		return class_matches(pattern + 1, byte);
	if (*pattern == '?')
		return pattern + 1;
	if (*pattern == '\\' && pattern[1] != '\0')
		pattern++;
	return *pattern == byte ? pattern + 1 : NULL;
}

bool apache_glob_matches(const char *pattern, const char *name)
{
	if (*name == '.' && *pattern != '.' && !(*pattern == '\\' && pattern[1] == '.'))
		return false;
	return matches(pattern, name, step_glob);
}
