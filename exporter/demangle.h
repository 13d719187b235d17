/* demangle.h - names of functions as their authors wrote them: shop::Orders<...>::total of
 * _ZN4shop6OrdersIiE5totalEv. Parameters are left out, and so are templates' arguments, which may be longer
 * than all the rest, and what the compiler put behind a name (.isra.0). What stands in more than names and
 * types (expressions, conversions) stays as the linker knows it.
 *
 * Of our own: the host's __cxa_demangle allocates from its heap, on a stack that is as deep as the name is
 * long. */
#ifndef TAGALONG_DEMANGLE_H
#define TAGALONG_DEMANGLE_H

/* `name` has SYMBOLS_NAME bytes; `mangled` is changed, and may be cut. */
void demangle(char *mangled, char *name);

#endif
