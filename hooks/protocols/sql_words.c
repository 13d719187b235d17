/* sql_words.c - by first letter, then by length and last letter; few names of a text get as far as a
 * comparison. */
#include "hooks/protocols/sql_words.h"

/* bytes_is() compares with bit 5 set, which makes DEL of an underscore. */
#define UNDERSCORE "\177"

#define WORDS_A(W)                 \
	W("as", WORD_AS)           \
	W("and", WORD_AND)         \
	W("all", WORD_ALL)         \
	W("alter", WORD_DDL)       \
	W("apply", WORD_JOIN)      \
	W("abort", WORD_SKIP)      \
	W("analyze", WORD_ANALYZE) \
	W("analyse", WORD_ANALYZE) \
	W("aggregate", WORD_TYPE)
#define WORDS_B(W)             \
	W("begin", WORD_BEGIN) \
	W("between", WORD_BETWEEN)
#define WORDS_C(W)                        \
	W("case", WORD_CASE)              \
	W("call", WORD_CALL)              \
	W("copy", WORD_COPY)              \
	W("close", WORD_CALL)             \
	W("create", WORD_DDL)             \
	W("comment", WORD_QUIET)          \
	W("cluster", WORD_CALL)           \
	W("conflict", WORD_CLAUSE)        \
	W("collation", WORD_TYPE)         \
	W("conversion", WORD_TYPE)        \
	W("concurrent", WORD_TRANSACTION) \
	W("concurrently", WORD_SKIP)
#define WORDS_D(W)                      \
	W("do", WORD_QUIET)             \
	W("drop", WORD_DROP)            \
	W("desc", WORD_CALL)            \
	W("delete", WORD_DELETE)        \
	W("domain", WORD_TYPE)          \
	W("delayed", WORD_SKIP)         \
	W("default", WORD_VALUE)        \
	W("distinct", WORD_DISTINCT)    \
	W("describe", WORD_CALL)        \
	W("database", WORD_TYPE)        \
	W("deferred", WORD_TRANSACTION) \
	W("duplicate", WORD_CLAUSE)
#define WORDS_E(W)                       \
	W("end", WORD_END)               \
	W("exec", WORD_CALL)             \
	W("else", WORD_VALUE)            \
	W("event", WORD_ROUTINE)         \
	W("except", WORD_SETOP)          \
	W("exists", WORD_SKIP)           \
	W("escape", WORD_VALUE)          \
	W("execute", WORD_CALL)          \
	W("explain", WORD_EXPLAIN)       \
	W("exclusive", WORD_TRANSACTION) \
	W("extension", WORD_TYPE)
#define WORDS_F(W)               \
	W("for", WORD_CLAUSE)    \
	W("from", WORD_FROM)     \
	W("fail", WORD_SKIP)     \
	W("full", WORD_SKIP)     \
	W("false", WORD_BOOLEAN) \
	W("fetch", WORD_FETCH)   \
	W("freeze", WORD_SKIP)   \
	W("function", WORD_ROUTINE)
#define WORDS_G(W)              \
	W("glob", WORD_VALUE)   \
	W("group", WORD_CLAUSE) \
	W("grant", WORD_QUIET)
#define WORDS_H(W)               \
	W("having", WORD_CLAUSE) \
	W("high" UNDERSCORE "priority", WORD_SKIP)
#define WORDS_I(W)                       \
	W("in", WORD_IN)                 \
	W("if", WORD_IF)                 \
	W("is", WORD_VALUE)              \
	W("into", WORD_INTO)             \
	W("index", WORD_TYPE)            \
	W("ilike", WORD_VALUE)           \
	W("insert", WORD_INSERT)         \
	W("ignore", WORD_SKIP)           \
	W("intersect", WORD_SETOP)       \
	W("immediate", WORD_TRANSACTION) \
	W("isolation", WORD_TRANSACTION) \
	W("identified", WORD_IDENTIFIED)
#define WORDS_J(W) W("join", WORD_JOIN)
#define WORDS_L(W)               \
	W("like", WORD_VALUE)    \
	W("load", WORD_LOAD)     \
	W("lock", WORD_OBJECT)   \
	W("loop", WORD_LOOP)     \
	W("login", WORD_TYPE)    \
	W("limit", WORD_CLAUSE)  \
	W("lateral", WORD_SKIP)  \
	W("language", WORD_TYPE) \
	W("low" UNDERSCORE "priority", WORD_SKIP)
#define WORDS_M(W)             \
	W("merge", WORD_MERGE) \
	W("match", WORD_VALUE) \
	W("minus", WORD_SETOP)
#define WORDS_N(W) W("not", WORD_VALUE)
#define WORDS_O(W)               \
	W("on", WORD_ON)         \
	W("or", WORD_OR)         \
	W("oj", WORD_SKIP)       \
	W("only", WORD_SKIP)     \
	W("order", WORD_CLAUSE)  \
	W("option", WORD_CLAUSE) \
	W("offset", WORD_CLAUSE) \
	W("operator", WORD_TYPE) \
	W("optimize", WORD_OBJECT)
#define WORDS_P(W)                   \
	W("policy", WORD_TYPE)       \
	W("pragma", WORD_CALL)       \
	W("package", WORD_ROUTINE)   \
	W("procedure", WORD_ROUTINE) \
	W("publication", WORD_TYPE)
#define WORDS_Q(W)            \
	W("quick", WORD_SKIP) \
	W("qualify", WORD_CLAUSE)
#define WORDS_R(W)                     \
	W("role", WORD_TYPE)           \
	W("rule", WORD_TYPE)           \
	W("read", WORD_TRANSACTION)    \
	W("rlike", WORD_VALUE)         \
	W("regexp", WORD_VALUE)        \
	W("return", WORD_VALUE)        \
	W("repair", WORD_OBJECT)       \
	W("repeat", WORD_LOOP)         \
	W("revoke", WORD_QUIET)        \
	W("refresh", WORD_DROP)        \
	W("reindex", WORD_DROP)        \
	W("replace", WORD_REPLACE)     \
	W("rollback", WORD_SKIP)       \
	W("recursive", WORD_RECURSIVE) \
	W("returning", WORD_CLAUSE)
#define WORDS_S(W)                   \
	W("set", WORD_SET)           \
	W("show", WORD_QUIET)        \
	W("start", WORD_START)       \
	W("select", WORD_SELECT)     \
	W("schema", WORD_TYPE)       \
	W("server", WORD_TYPE)       \
	W("system", WORD_TYPE)       \
	W("session", WORD_TYPE)      \
	W("similar", WORD_VALUE)     \
	W("synonym", WORD_TYPE)      \
	W("sequence", WORD_TYPE)     \
	W("subscription", WORD_TYPE) \
	W("straight" UNDERSCORE "join", WORD_JOIN)
#define WORDS_T(W)                  \
	W("to", WORD_SKIP)          \
	W("top", WORD_TOP)          \
	W("true", WORD_BOOLEAN)     \
	W("then", WORD_VALUE)       \
	W("type", WORD_TYPE)        \
	W("tran", WORD_TRANSACTION) \
	W("table", WORD_TABLE)      \
	W("tables", WORD_TABLE)     \
	W("trigger", WORD_ROUTINE)  \
	W("truncate", WORD_OBJECT)  \
	W("tablespace", WORD_TYPE)  \
	W("transaction", WORD_TRANSACTION)
#define WORDS_U(W)             \
	W("use", WORD_CALL)    \
	W("user", WORD_TYPE)   \
	W("using", WORD_USING) \
	W("union", WORD_SETOP) \
	W("update", WORD_UPDATE)
#define WORDS_V(W)                \
	W("view", WORD_TYPE)      \
	W("values", WORD_VALUES)  \
	W("vacuum", WORD_ANALYZE) \
	W("verbose", WORD_SKIP)
#define WORDS_W(W)                  \
	W("with", WORD_WITH)        \
	W("when", WORD_VALUE)       \
	W("work", WORD_TRANSACTION) \
	W("where", WORD_CLAUSE)     \
	W("while", WORD_LOOP)       \
	W("window", WORD_CLAUSE)

#define ENTRY(text, word) {text, sizeof(text) - 1, word},
#define LENGTH(text, word) | 1u << (sizeof(text) - 1)
#define LAST(text, word) | 1u << ((text)[sizeof(text) - 2] & 31)
#define GROUP(letter)                                                                                       \
	{                                                                                                   \
		(const struct sql_word_entry[]){WORDS_##letter(ENTRY){"", 0, 0}}, 0 WORDS_##letter(LENGTH), \
			0 WORDS_##letter(LAST)                                                              \
	}
#define EMPTY              \
	{                  \
		NULL, 0, 0 \
	}

const struct sql_word_group sql_word_groups[32] = {
	EMPTY,    GROUP(A), GROUP(B), GROUP(C), GROUP(D), GROUP(E), GROUP(F), GROUP(G),
	GROUP(H), GROUP(I), GROUP(J), EMPTY,    GROUP(L), GROUP(M), GROUP(N), GROUP(O),
	GROUP(P), GROUP(Q), GROUP(R), GROUP(S), GROUP(T), GROUP(U), GROUP(V), GROUP(W),
	EMPTY,    EMPTY,    EMPTY,    EMPTY,    EMPTY,    EMPTY,    EMPTY,    EMPTY,
};

enum sql_word sql_word_find(const struct sql_word_group *group, struct bytes text)
{
	for (const struct sql_word_entry *entry = group->entries; entry->len; entry++)
		if (entry->len == text.len && bytes_is(text, (struct bytes){entry->text, entry->len}))
			return (enum sql_word)entry->word;
	return WORD_NONE;
}
