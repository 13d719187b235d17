# Sourced: builds two libraries that are no OpenSSL but have its names, and a user of each. Prints what each user is told
# by the library that it was linked with; both come by dlopen(RTLD_LOCAL), and neither knows of the other.
tls_copies() { # DIR; sets nothing, leaves $1/copies
	local dir=$1 n
	for n in 1 2; do
		gcc -shared -fPIC -Wl,-soname,libcopy$n.so -o "$dir/libcopy$n.so" -x c - <<-EOF || return 1
		#include <stddef.h>
		static const int method = $n;
		struct ssl_st { long version; const int *method; void *more[2]; };
		static struct ssl_st session = {0, &method, {0, 0}};
		struct ssl_st *SSL_new(void *c) { (void)c; return &session; }
		int SSL_read(struct ssl_st *s, void *b, int n) { (void)b; (void)n; return s->method == &method ? 10 * $n + *s->method : -9; }
		int SSL_write(struct ssl_st *s, const void *b, int n) { (void)b; (void)n; return s->method == &method ? 10 * $n + *s->method : -9; }
		void SSL_free(struct ssl_st *s) { (void)s; }
		EOF
		gcc -shared -fPIC -Wl,-rpath,"$dir" -o "$dir/libuser$n.so" -x c - "-L$dir" -lcopy$n <<-EOF || return 1
		struct ssl_st *SSL_new(void *);
		int SSL_read(struct ssl_st *, void *, int), SSL_write(struct ssl_st *, const void *, int);
		void SSL_free(struct ssl_st *);
		int use(void) { struct ssl_st *s = SSL_new(0); int r = SSL_read(s, 0, 0) * 100 + SSL_write(s, 0, 0); SSL_free(s); SSL_free(0); return r; }
		EOF
	done
	gcc -o "$dir/copies" -x c - -ldl <<-EOF
	#include <dlfcn.h>
	#include <stdio.h>
	int main(void) {
		int (*use[2])(void);
		for (int i = 0; i < 2; i++) {
			char path[500];
			snprintf(path, sizeof(path), "$dir/libuser%d.so", i + 1);
			void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
			if (!handle || !(use[i] = (int (*)(void))dlsym(handle, "use"))) { puts(dlerror()); return 1; }
			printf("%d ", use[i]());
		}
		printf("%d %d %s\n", use[0](), use[1](), dlerror() ? "error" : "clean");
	}
	EOF
}
