"""Does a base model draw copies of its training pictures, and how varied is what it draws?"""
