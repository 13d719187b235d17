/* demangle.c - see demangle.h. Source: Itanium C++ ABI, "External Names".
 *
 * What is told is read off; all the rest, arguments of templates and parameters of functions, is only passed
 * over, to find where it ends. So nothing needs to be remembered (substitutions), and what is rare enough to
 * be an expression ends it: the name stays as it is. Names come from the program's files: every step takes a
 * character at least, and what is nested is bounded. */
#include "exporter/demangle.h"

#include <stdbool.h>
#include <string.h>

#include "exporter/symbols.h"
#include "preload/bytes.h"

#define DEPTH 64

struct reader {
	const char *at;
	char *out;
	size_t len;
	unsigned depth, silent; /* silent: passed over, not told */
	struct bytes last;      /* name, of which a constructor has the same */
};

static bool pass_type(struct reader *reader);
static bool read_encoding(struct reader *reader);

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool take(struct reader *reader, char c)
{
	if (*reader->at != c)
		return false;
	reader->at++;
	return true;
}

/* --- told ---------------------------------------------------------------------------------------------- */

static bool put(struct reader *reader, struct bytes text)
{
	if (reader->silent)
		return true;
	if (reader->len + text.len + 1 > SYMBOLS_NAME)
		return false;
	memcpy(reader->out + reader->len, text.ptr, text.len);
	reader->len += text.len;
	return true;
}

static bool put_part(struct reader *reader, const char *before, struct bytes name)
{
	return (reader->len == 0 || put(reader, BYTES("::"))) && put(reader, bytes_of(before)) &&
	       put(reader, name);
}

/* Whatever is read: a constructor behind it is still of what was read before. */
static bool silently(struct reader *reader, bool (*pass)(struct reader *))
{
	struct bytes last = reader->last;

	reader->silent++;
	bool passed = pass(reader);
	reader->silent--;
	reader->last = last;
	return passed;
}

/* --- numbers and names -----------------------------------------------------------------------------------
 */

static size_t read_number(struct reader *reader)
{
	size_t number = 0;
	for (; is_digit(*reader->at); reader->at++)
		number = number < 1000000 ? number * 10 + (size_t)(*reader->at - '0') : number;
	return number;
}

/* <length><name> */
static bool read_source(struct reader *reader, struct bytes *name)
{
	size_t len = read_number(reader);

	if (len == 0 || strnlen(reader->at, len) < len)
		return false;
	*name = (struct bytes){reader->at, len};
	reader->at += len;
	return true;
}

static bool read_name(struct reader *reader)
{
	struct bytes name;

	if (!read_source(reader, &name))
		return false;
	if (bytes_starts(name, BYTES("_GLOBAL__N_")))
		name = BYTES("(anonymous namespace)");
	reader->last = name;
	return put_part(reader, "", name);
}

/* What the ABI has letters for; the name of its constructors. */
static bool read_standard(struct reader *reader)
{
	static const struct {
		char letter;
		struct bytes name, last;
	} names[] = {
		{'t', BYTES("std"), BYTES("")},
		{'a', BYTES("std::allocator"), BYTES("allocator")},
		{'b', BYTES("std::basic_string"), BYTES("basic_string")},
		{'s', BYTES("std::string"), BYTES("string")},
		{'i', BYTES("std::istream"), BYTES("istream")},
		{'o', BYTES("std::ostream"), BYTES("ostream")},
		{'d', BYTES("std::iostream"), BYTES("iostream")},
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (reader->at[0] == 'S' && reader->at[1] == names[i].letter) {
			reader->at += 2;
			reader->last = names[i].last;
			return put_part(reader, "", names[i].name);
		}
	return false;
}

static bool read_operator(struct reader *reader)
{
	/* In pairs: the letters, and how it is written. */
	static const char *const operators =
		"nw new;na new[];dl delete;da delete[];aw co_await;ps +;ng -;ad &;de *;co ~;pl +;mi -;ml "
		"*;dv /;"
		"rm %;an &;or |;eo ^;aS =;pL +=;mI -=;mL *=;dV /=;rM %=;aN &=;oR |=;eO ^=;ls <<;rs >>;lS <<=;"
		"rS >>=;eq ==;ne !=;lt <;gt >;le <=;ge >=;ss <=>;nt !;aa &&;oo ||;pp ++;mm --;cm ,;pm ->*;pt "
		"->;"
		"cl ();ix [];";
	for (const char *one = operators; *one; one = strchr(one, ';') + 1) {
		if (one[0] != reader->at[0] || one[1] != reader->at[1])
			continue;
		bool word = one[3] >= 'a' && one[3] <= 'z';
		const char *from = word ? one + 2 : one + 3;
		reader->at += 2;
		return put_part(reader, "operator", (struct bytes){from, (size_t)(strchr(one, ';') - from)});
	}
	return false;
}

/* Until the E. */
static bool pass_types(struct reader *reader)
{
	while (!take(reader, 'E')) {
		bool reference = strchr("RO", reader->at[0]) && reader->at[0] && reader->at[1] == 'E';
		if (reference)
			reader->at++;
		else if (!pass_type(reader))
			return false;
	}
	return true;
}

/* A lambda, or a type without a name: numbered from nothing, 0, 1. */
static bool read_unnamed(struct reader *reader)
{
	bool lambda = reader->at[1] == 'l';
	char number[24] = "{unnamed#";
	size_t len, from = lambda ? 8 : 9;

	reader->at += 2;
	if (lambda && !silently(reader, pass_types))
		return false;
	size_t n = is_digit(*reader->at) ? read_number(reader) + 2 : 1;
	if (lambda)
		memcpy(number, "{lambda#", 8);
	size_t digits = n > 9 ? n > 99 ? 3 : 2 : 1;
	for (size_t i = digits; i > 0; i--, n /= 10)
		number[from + i - 1] = (char)('0' + n % 10);
	len = from + digits;
	number[len++] = '}';
	return take(reader, '_') && put_part(reader, "", (struct bytes){number, len});
}

/* --- passed over -----------------------------------------------------------------------------------------
 */

/* Of what type, and its value; or what it is the address of. */
static bool pass_literal(struct reader *reader)
{
	if (reader->at[0] == '_' && reader->at[1] == 'Z') {
		reader->at += 2;
		return read_encoding(reader);
	}
	if (!pass_type(reader))
		return false;
	while (is_digit(*reader->at) || (*reader->at >= 'a' && *reader->at <= 'z') || *reader->at == '_')
		reader->at++;
	return take(reader, 'E');
}

static bool pass_arguments(struct reader *reader)
{
	while (!take(reader, 'E')) {
		bool address = strncmp(reader->at, "XadL_Z", 6) == 0; /* the commonest of expressions */
		if (address)
			reader->at += 3;
		bool literal = take(reader, 'L'), pack = !literal && take(reader, 'J');
		if (++reader->depth > DEPTH ||
		    !(literal ? pass_literal(reader)
		      : pack  ? pass_arguments(reader)
			      : pass_type(reader)) ||
		    (address && !take(reader, 'E')))
			return false;
		reader->depth--;
	}
	return true;
}

static bool read_arguments(struct reader *reader)
{
	if (!take(reader, 'I'))
		return true;
	return silently(reader, pass_arguments) && put(reader, BYTES("<...>"));
}

/* --- names of more than one part -------------------------------------------------------------------------
 */

/* A class's own functions, which have its name. */
static bool read_special(struct reader *reader)
{
	bool destructor = *reader->at == 'D';

	reader->at += 2;
	return reader->last.len && put_part(reader, destructor ? "~" : "", reader->last);
}

static bool read_part(struct reader *reader)
{
	char kind = reader->at[0], next = kind ? reader->at[1] : '\0';

	if (kind == 'L' && is_digit(next)) /* known in its file only */
		reader->at++;
	bool good;
	if (is_digit(*reader->at))
		good = read_name(reader);
	else if ((kind == 'C' || kind == 'D') && is_digit(next))
		good = read_special(reader);
	else if (kind == 'U' && (next == 'l' || next == 't'))
		good = read_unnamed(reader);
	else
		good = read_operator(reader);
	struct bytes tag;
	while (good && take(reader, 'B')) /* [abi:cxx11] */
		good = read_source(reader, &tag);
	return good && read_arguments(reader);
}

/* In parameters and arguments: stands for something before. */
static bool pass_substitution(struct reader *reader)
{
	reader->at++;
	while (is_digit(*reader->at) || (*reader->at >= 'A' && *reader->at <= 'Z'))
		reader->at++;
	return take(reader, '_');
}

static bool read_prefix(struct reader *reader)
{
	char kind = reader->at[0];
	bool stands = (kind == 'S' && reader->at[1] && !strchr("tabsiod", reader->at[1])) || kind == 'T';

	if (stands) /* what for is not known */
		return reader->silent && pass_substitution(reader) && read_arguments(reader);
	if (kind == 'S')
		return read_standard(reader) && read_arguments(reader);
	return read_part(reader);
}

static bool read_nested(struct reader *reader)
{
	while (*reader->at && strchr("rVKRO", *reader->at))
		reader->at++;
	const char *from = reader->at;
	while (!take(reader, 'E')) {
		if (!read_prefix(reader))
			return false;
		take(reader, 'M'); /* the member whose value a lambda stands in */
	}
	return reader->at > from + 1;
}

/* Inside of a function: that, and then what it is there. */
static bool read_local(struct reader *reader)
{
	if (!read_encoding(reader))
		return false;
	if (take(reader, 's')) /* a text */
		return true;
	if (take(reader, 'd')) { /* in what a parameter is when it is not given */
		read_number(reader);
		if (!take(reader, '_'))
			return false;
	}
	bool good = take(reader, 'N') ? read_nested(reader) : read_part(reader);
	if (good && take(reader, '_')) { /* which of several of that name */
		bool wide = take(reader, '_');
		if (!is_digit(*reader->at))
			return false;
		if (wide) {
			read_number(reader);
			return take(reader, '_');
		}
		reader->at++;
	}
	return good;
}

static bool read_any_name(struct reader *reader)
{
	bool good;

	if (++reader->depth > DEPTH)
		return false;
	if (take(reader, 'N'))
		good = read_nested(reader);
	else if (take(reader, 'Z'))
		good = read_local(reader);
	else if (reader->at[0] == 'S' && reader->at[1] == 't')
		good = read_standard(reader) && read_part(reader);
	else
		good = read_prefix(reader);
	reader->depth--;
	return good;
}

/* A function with its parameters, or an object, that something is in, up to its E. */
static bool read_encoding(struct reader *reader)
{
	return read_any_name(reader) && silently(reader, pass_types);
}

/* --- types: passed over -----------------------------------------------------------------------------------
 */

/* More than one letter, beginning with a D. */
static bool pass_newer_type(struct reader *reader)
{
	char kind = reader->at[1];

	if (!kind || !strchr("pnacudefhisovF", kind))
		return false; /* of an expression */
	reader->at += 2;
	if (kind == 'p' || kind == 'o')
		return pass_type(reader);
	if (kind != 'v' && kind != 'F')
		return true;
	if (!is_digit(*reader->at))
		return false;
	read_number(reader);
	if (kind == 'F')
		return take(reader, '_') || take(reader, 'b') || take(reader, 'x');
	return take(reader, '_') && pass_type(reader);
}

static bool pass_array(struct reader *reader)
{
	read_number(reader);
	return take(reader, '_') && pass_type(reader);
}

static bool pass_plain_type(struct reader *reader)
{
	char kind = *reader->at;
	struct bytes name;

	if (kind && strchr("vwbcahstijlmxynofdegz", kind)) {
		reader->at++;
		return true;
	}
	switch (kind) {
	case 'D':
		return pass_newer_type(reader);
	case 'F':
		reader->at++;
		take(reader, 'Y');
		return pass_types(reader);
	case 'A':
		reader->at++;
		return pass_array(reader);
	case 'M':
		reader->at++;
		return pass_type(reader) && pass_type(reader);
	case 'u':
		reader->at++;
		return read_source(reader, &name);
	default:
		return read_any_name(reader);
	}
}

static bool pass_type(struct reader *reader)
{
	if (++reader->depth > DEPTH)
		return false;
	while (*reader->at && strchr("rVKPROCG", *reader->at))
		reader->at++;
	bool good = pass_plain_type(reader);
	reader->depth--;
	return good;
}

/* --- the whole --------------------------------------------------------------------------------------------
 */

/* What leads to a function of another class, by an offset or by two. */
static bool pass_thunk(struct reader *reader)
{
	char kind = reader->at[1];
	bool both = kind == 'c';

	if (kind != 'h' && kind != 'v' && !both)
		return false;
	reader->at += both ? 2 : 1;
	for (int left = both ? 2 : 1; left > 0; left--) {
		bool two = *reader->at == 'v';
		if (!take(reader, 'h') && !take(reader, 'v'))
			return false;
		for (int i = 0; i < (two ? 2 : 1); i++) {
			take(reader, 'n');
			read_number(reader);
			if (!take(reader, '_'))
				return false;
		}
	}
	return true;
}

static void cut_clone(char *name)
{
	static const char *const clones[] = {".isra.", ".constprop.", ".part.",
					     ".cold",  ".lto_priv.",  ".llvm."};
	for (size_t i = 0; i < sizeof(clones) / sizeof(clones[0]); i++) {
		char *clone = strstr(name, clones[i]);
		if (clone && clone > name)
			*clone = '\0';
	}
}

void demangle(char *mangled, char *name)
{
	struct reader reader = {.at = mangled + 2, .out = name};

	cut_clone(mangled);
	bool good = strncmp(mangled, "_Z", 2) == 0;
	if (good && *reader.at == 'T')
		good = pass_thunk(&reader);
	if (good && *reader.at == 'L')
		reader.at++;
	if (!good || !read_any_name(&reader)) {
		reader.len = strnlen(mangled, SYMBOLS_NAME - 1);
		memcpy(name, mangled, reader.len);
	}
	name[reader.len] = '\0';
}
