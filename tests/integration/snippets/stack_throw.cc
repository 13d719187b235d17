// stack_throw: statements of SQLite whose function throws; caught where the program is used to. The first before libunwind is
// there, the others behind a call that failed and, when FILE has text, was told.
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>
#include <string>

#define APART __attribute__((noinline, noclone))
#define STAY __asm__ volatile("" ::: "memory")

struct Noted {
	const char *name;
	~Noted() { std::printf("left %s\n", name); }
};

static void slow_throws(sqlite3_context *, int, sqlite3_value **)
{
	usleep(300000);
	throw std::runtime_error("from inside");
}

static int run(sqlite3 *db, const char *text)
{
	sqlite3_stmt *statement = nullptr;
	sqlite3_prepare_v2(db, text, -1, &statement, nullptr);
	int code = sqlite3_step(statement);
	sqlite3_finalize(statement);
	return code;
}

namespace shop {
template <typename Of, int Many> struct Orders {
	template <typename... More> APART static int the_query(sqlite3 *db, const char *text, More...)
	{
		Noted noted{"the_query"};
		int code = run(db, text);
		STAY;
		return code;
	}
};
APART int the_report(sqlite3 *db, const std::string &text)
{
	Noted noted{"the_report"};
	int code = Orders<std::string, -3>::the_query(db, text.c_str(), 1, &run);
	STAY;
	return code;
}
} // namespace shop

APART static int the_request(const char *text)
{
	sqlite3 *db;
	sqlite3_open(":memory:", &db);
	sqlite3_create_function(db, "slow_throws", 0, SQLITE_UTF8, nullptr, slow_throws, nullptr, nullptr);
	try {
		int code = shop::the_report(db, text);
		std::printf("code %d\n", code);
		return code;
	} catch (const std::exception &caught) {
		std::printf("caught %s\n", caught.what());
		return -1;
	}
}

int main(int, char **argv)
{
	the_request("SELECT slow_throws()");
	the_request("SELECT abs(-9223372036854775808)");
	struct stat info;
	for (int i = 0; i < 1000 && (stat(argv[1], &info) != 0 || info.st_size == 0); i++)
		usleep(10000);
	the_request("SELECT slow_throws()");
	the_request("SELECT slow_throws()");
	return 0;
}
