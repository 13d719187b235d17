/* test_db_prepared.c - statements by name: put, replaced, dropped, pushed out by younger ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hooks/protocols/db_prepared.h"

static _Alignas(8) char memory[64 * 1024];

static struct bytes of(const char *text)
{
	return (struct bytes){text, strlen(text)};
}

static db_prepared_ref put(struct db_prepared *table, const char *key, const char *text, uint32_t number)
{
	struct db_statement statement = {of(text), of("SELECT t"), number};
	return db_prepared_put(table, of(key), &statement);
}

static const char *text_at(const struct db_prepared *table, db_prepared_ref ref)
{
	static char text[DB_PREPARED_TEXT_MAX + 1];
	struct db_statement statement;

	if (!db_prepared_get(table, ref, &statement))
		return "(gone)";
	memcpy(text, statement.text.ptr, statement.text.len);
	text[statement.text.len] = '\0';
	return text;
}

static const char *text_of(const struct db_prepared *table, const char *key)
{
	db_prepared_ref ref = db_prepared_find(table, of(key));
	return ref ? text_at(table, ref) : "(none)";
}

static void test_put_find_drop(void **unused)
{
	(void)unused;
	struct db_prepared *table = db_prepared_init(memory, sizeof(memory));
	struct db_statement statement;

	assert_string_equal(text_of(table, "a"), "(none)");
	assert_false(db_prepared_get(table, 0, &statement));
	put(table, "a", "SELECT 1 FROM t", 7);
	put(table, "", "SELECT 2 FROM t", 8);
	assert_string_equal(text_of(table, "a"), "SELECT 1 FROM t");
	assert_string_equal(text_of(table, ""), "SELECT 2 FROM t");
	assert_true(db_prepared_get(table, db_prepared_find(table, of("a")), &statement));
	assert_int_equal(statement.number, 7);
	assert_int_equal(statement.summary.len, 8);
	db_prepared_drop(table, of("a"));
	db_prepared_drop(table, of("a"));
	assert_string_equal(text_of(table, "a"), "(none)");
	assert_string_equal(text_of(table, ""), "SELECT 2 FROM t");
}

static void test_put_the_same_again_changes_nothing(void **unused)
{
	(void)unused;
	struct db_prepared *table = db_prepared_init(memory, sizeof(memory));
	static char before[sizeof(memory)];

	put(table, "a", "SELECT 1", 1);
	put(table, "b", "SELECT 2", 2);
	memcpy(before, memory, sizeof(memory));
	put(table, "a", "SELECT 1", 1);
	put(table, "b", "SELECT 2", 2);
	assert_memory_equal(before, memory, sizeof(memory));
}

static void test_put_replaces_and_the_place_stays_good(void **unused)
{
	(void)unused;
	struct db_prepared *table = db_prepared_init(memory, sizeof(memory));
	db_prepared_ref old = put(table, "a", "SELECT 1", 1);

	put(table, "a", "SELECT 2", 1);
	assert_string_equal(text_of(table, "a"), "SELECT 2");
	assert_string_equal(text_at(table, old), "SELECT 1");
	db_prepared_drop(table, of("a"));
	assert_string_equal(text_of(table, "a"), "(none)");
}

static void test_put_too_large_is_nobodys(void **unused)
{
	(void)unused;
	struct db_prepared *table = db_prepared_init(memory, sizeof(memory));
	static char large[DB_PREPARED_TEXT_MAX + 2];

	put(table, "a", "SELECT 1", 1);
	memset(large, 'x', sizeof(large) - 1);
	assert_int_equal(put(table, "a", large, 1), 0);
	assert_string_equal(text_of(table, "a"), "(none)");
	large[DB_PREPARED_TEXT_MAX] = '\0';
	assert_int_not_equal(put(table, "a", large, 1), 0);
	assert_string_equal(text_of(table, "a"), large);
	assert_null(db_prepared_init(memory, 64));
	table = db_prepared_init(memory, 13000);
	assert_int_equal(put(table, "a", large, 1), 0);
}

static void test_drop_number(void **unused)
{
	(void)unused;
	struct db_prepared *table = db_prepared_init(memory, sizeof(memory));
	char key[16];

	/* Also where the log has begun again. */
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(key, sizeof(key), "s%u", i);
		put(table, key, "SELECT 1 FROM t WHERE id = $1", i % 10);
	}
	for (unsigned i = 2900; i < 3000; i++) {
		snprintf(key, sizeof(key), "s%u", i);
		assert_string_not_equal(text_of(table, key), "(none)");
	}
	db_prepared_drop_number(table, 4);
	for (unsigned i = 2900; i < 3000; i++) {
		snprintf(key, sizeof(key), "s%u", i);
		if (i % 10 == 4)
			assert_string_equal(text_of(table, key), "(none)");
		else
			assert_string_not_equal(text_of(table, key), "(none)");
	}
}

/* A log of what was done, done again on another table up to some change: both say the same after going back.
 */
static void test_go_back(void **unused)
{
	(void)unused;
	static _Alignas(8) char other[sizeof(memory)];
	enum { KEYS = 12, STEPS = 400 };
	struct {
		int key, size;
	} step[STEPS];
	char key[16], text[2048];

	srand(11);
	for (int round = 0; round < 60; round++) {
		bool roomy = round % 2;
		size_t size = roomy ? sizeof(memory) : 9216 + (size_t)(rand() % 4) * 3000;
		struct db_prepared *table = db_prepared_init(memory, size),
				   *again = db_prepared_init(other, size);
		int steps = 1 + rand() % STEPS, back = rand() % steps;
		uint32_t changes = 0;
		for (int i = 0; i < steps; i++) {
			step[i].key = rand() % KEYS;
			step[i].size = rand() % 3 ? rand() % 60 : -1;
			for (int t = 0; t < 2; t++) {
				struct db_prepared *which = t ? again : table;
				snprintf(key, sizeof(key), "k%d", step[i].key);
				snprintf(text, sizeof(text), "%d %*s", i, step[i].size + 1, "");
				if (t && i >= back)
					continue;
				if (step[i].size < 0)
					db_prepared_drop(which, of(key));
				else
					put(which, key, text, 1);
			}
			if (i + 1 == back)
				changes = db_prepared_changes(table);
		}
		db_prepared_go_back(table, changes);
		assert_int_equal(db_prepared_changes(table), db_prepared_changes(again));
		for (int turn = 0; turn < 2; turn++) {
			for (int i = 0; i < KEYS; i++) {
				snprintf(key, sizeof(key), "k%d", i);
				char *was = strdup(text_of(again, key));
				const char *is = text_of(table, key);
				if (strcmp(is, "(none)") != 0 || roomy) /* it may have had to go */
					assert_string_equal(is, was);
				free(was);
			}
			put(table, "k3", "SELECT later", 2);
			put(again, "k3", "SELECT later", 2);
		}
	}
}

/* Against a plain array: what is found is right, what is gone is older than all that is there. */
static void test_oldest_goes_first(void **unused)
{
	(void)unused;
	enum { KEYS = 400 };
	static struct {
		char text[300];
		db_prepared_ref ref;
		unsigned when;
		bool dropped;
	} model[KEYS];
	struct db_prepared *table = db_prepared_init(memory, 28000);
	char key[16];

	srand(7);
	for (unsigned turn = 1; turn < 60000; turn++) {
		unsigned i = (unsigned)rand() % KEYS;
		snprintf(key, sizeof(key), "k%u", i);
		if (rand() % 8 == 0) {
			db_prepared_drop(table, of(key));
			model[i].dropped = true;
			continue;
		}
		snprintf(model[i].text, sizeof(model[i].text), "%u %.*s", turn, rand() % 250,
			 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			 "xxxxxxxxxxxxxxxxx"
			 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			 "xxxxxxxxxxxxxxxxx");
		model[i].ref = put(table, key, model[i].text, turn);
		model[i].when = turn;
		model[i].dropped = false;
		if (turn % 50)
			continue;
		unsigned oldest_there = UINT32_MAX, youngest_gone = 0;
		for (unsigned j = 0; j < KEYS; j++) {
			snprintf(key, sizeof(key), "k%u", j);
			db_prepared_ref ref = db_prepared_find(table, of(key));
			if (model[j].dropped || model[j].when == 0) {
				assert_int_equal(ref, 0);
			} else if (ref) {
				assert_true(ref == model[j].ref);
				assert_string_equal(text_at(table, ref), model[j].text);
				if (model[j].when < oldest_there)
					oldest_there = model[j].when;
			} else {
				assert_string_equal(text_at(table, model[j].ref), "(gone)");
				if (model[j].when > youngest_gone)
					youngest_gone = model[j].when;
			}
		}
		assert_true(youngest_gone < oldest_there);
		assert_true(turn < 400 || turn - oldest_there > 30);
	}
}

static _Alignas(8) char little[4096];

static db_prepared_ref kept;

static bool fold(struct db_prepared *table, size_t size)
{
	if (!db_prepared_fold(table, little, size, &kept))
		return false;
	memset(memory, 0xa5, sizeof(memory));
	db_prepared_unfold(memory, sizeof(memory), little);
	return true;
}

static void test_folded_it_has_the_same_names(void **unused)
{
	(void)unused;
	struct db_prepared *table = db_prepared_init(memory, sizeof(memory));
	struct db_statement statement;

	put(table, "a", "SELECT 1", 1);
	put(table, "b", "SELECT 2", 2);
	put(table, "a", "SELECT 3", 3);
	put(table, "d", "SELECT 4", 4);
	db_prepared_drop(table, of("b"));
	put(table, "c", "SELECT 5", 5);
	uint32_t changes = db_prepared_changes(table);
	for (int turn = 0; turn < 3; turn++) {
		assert_true(fold(table, sizeof(little)));
		assert_int_equal(db_prepared_changes(table), changes);
		assert_string_equal(text_of(table, "a"), "SELECT 3");
		assert_string_equal(text_of(table, "b"), "(none)");
		assert_string_equal(text_of(table, "c"), "SELECT 5");
		assert_true(db_prepared_get(table, db_prepared_find(table, of("d")), &statement));
		assert_int_equal(statement.number, 4);
	}
	put(table, "a", "SELECT 6", 6);
	put(table, "b", "SELECT 7", 7);
	db_prepared_go_back(table, changes);
	assert_string_equal(text_of(table, "a"), "SELECT 3");
	assert_string_equal(text_of(table, "b"), "(none)");
	db_prepared_drop_number(table, 4);
	assert_string_equal(text_of(table, "d"), "(none)");
	assert_string_equal(text_of(table, "c"), "SELECT 5");

	/* One that had nothing, and one that lost what it had. */
	table = db_prepared_init(memory, sizeof(memory));
	assert_true(fold(table, sizeof(little)));
	assert_string_equal(text_of(table, "a"), "(none)");
	db_prepared_forget(memory, sizeof(memory), 7);
	assert_int_equal(db_prepared_changes(table), 7);
	put(table, "a", "SELECT 1", 1);
	db_prepared_go_back(table, 7);
	assert_string_equal(text_of(table, "a"), "(none)");
}

static void test_folded_one_reference_stays_good(void **unused)
{
	(void)unused;
	struct db_prepared *table = db_prepared_init(memory, sizeof(memory));
	const char *names[] = {"a", "b", "c", "d"},
		   *texts[] = {"SELECT 1", "SELECT 2", "SELECT 3", "SELECT 4"};

	for (int i = 0; i < 4; i++)
		put(table, names[i], texts[i], 1);
	db_prepared_drop(table, of("c"));
	for (int i = 0; i < 4; i++) {
		kept = i == 2 ? 0 : db_prepared_find(table, of(names[i]));
		assert_true(fold(table, sizeof(little)));
		assert_true(kept == db_prepared_find(table, of(names[i])));
		assert_string_equal(text_at(table, kept), i == 2 ? "(gone)" : texts[i]);
	}
	kept = db_prepared_find(table, of("a"));
	put(table, "a", "SELECT 5", 1);
	assert_true(fold(table, sizeof(little)));
	assert_int_equal(kept, 0);
	kept = db_prepared_find(table, of("b"));
	db_prepared_forget(memory, sizeof(memory), db_prepared_changes(table));
	put(table, "b", "SELECT 6", 1);
	assert_string_equal(text_at(table, kept), "(gone)");
}

/* Names that come and go leave nothing behind that would have to be packed, wherever the log begins. */
static void test_folded_it_is_as_small_as_what_can_be_found(void **unused)
{
	(void)unused;
	struct db_prepared *table = db_prepared_init(memory, sizeof(memory));
	char key[16], text[400];
	unsigned folds = 0;

	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "SELECT %d", i);
		text[strlen(text)] = ' ';
		text[sizeof(text) - 1] = '\0';
		snprintf(key, sizeof(key), "k%d", i % 2000);
		put(table, key, text, (uint32_t)i);
		if (i >= 5) {
			snprintf(key, sizeof(key), "k%d", i - 5);
			db_prepared_drop(table, of(key));
		}
		if (i % 97 != 96)
			continue;
		assert_true(fold(table, sizeof(little)));
		folds++;
		for (int k = i - 6; k <= i; k++) {
			char start[24];
			snprintf(key, sizeof(key), "k%d", k);
			snprintf(start, sizeof(start), "SELECT %d ", k);
			if (k < i - 4)
				assert_string_equal(text_of(table, key), "(none)");
			else
				assert_memory_equal(text_of(table, key), start, strlen(start));
		}
	}
	assert_int_equal(folds, 2000 / 97);
}

/* The log has begun again at its memory's beginning. */
static void test_folded_when_its_log_has_come_round(void **unused)
{
	(void)unused;
	static char large[DB_PREPARED_TEXT_MAX];
	struct db_prepared *table = db_prepared_init(memory, sizeof(memory));

	memset(large, 'x', sizeof(large) - 1);
	for (int turn = 0; turn < 2; turn++)
		for (uint32_t i = 0; i < 6; i++)
			put(table, "large", large, i + 10 * (uint32_t)turn);
	put(table, "a", "SELECT 1", 1);
	for (uint32_t i = 0; i < 4; i++)
		put(table, "large", large, i + 20);
	put(table, "b", "SELECT 2", 2);
	assert_string_equal(text_of(table, "a"), "SELECT 1");
	assert_false(fold(table, sizeof(little)));
	assert_string_equal(text_of(table, "b"), "SELECT 2");
	db_prepared_drop(table, of("large"));
	assert_true(fold(table, sizeof(little)));
	assert_string_equal(text_of(table, "a"), "SELECT 1");
	assert_string_equal(text_of(table, "b"), "SELECT 2");
	assert_string_equal(text_of(table, "large"), "(none)");
	assert_false(fold(table, 64));
	assert_false(fold(table, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_find_drop),
		cmocka_unit_test(test_put_the_same_again_changes_nothing),
		cmocka_unit_test(test_put_replaces_and_the_place_stays_good),
		cmocka_unit_test(test_put_too_large_is_nobodys),
		cmocka_unit_test(test_drop_number),
		cmocka_unit_test(test_go_back),
		cmocka_unit_test(test_oldest_goes_first),
		cmocka_unit_test(test_folded_it_has_the_same_names),
		cmocka_unit_test(test_folded_one_reference_stays_good),
		cmocka_unit_test(test_folded_it_is_as_small_as_what_can_be_found),
		cmocka_unit_test(test_folded_when_its_log_has_come_round),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
